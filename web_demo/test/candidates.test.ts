import { afterEach, expect, it, vi } from 'vitest';

import type { Graphs, Manifest } from '../src/lib/manifest';
import { candidates, chooseRuntime } from '../src/lib/runtimes/registry';
import { manifestOf } from './manifest_of';

const GRAPHS: Graphs = { mapping: null, synthesis: [], generator: null };
const BOTH = manifestOf({}, { targets: { onnx: GRAPHS, tfjs: GRAPHS } });

const CARD = { info: { isFallbackAdapter: false } };
const PROGRAM = { info: { isFallbackAdapter: true } };
const OLDER_CARD = { isFallbackAdapter: false };
const OLDER_PROGRAM = { info: {}, isFallbackAdapter: true };

afterEach(() => vi.unstubAllGlobals());

function device(adapter: object | null | undefined): void {
  const gpu = adapter === undefined ? {} : { gpu: { requestAdapter: async () => adapter } };
  vi.stubGlobal('navigator', gpu);
}

it.each([
  ['a graphics card', CARD, true],
  ['a graphics card in an older browser', OLDER_CARD, true],
  ['a program in its stead', PROGRAM, false],
  ['such a program in an older browser', OLDER_PROGRAM, false],
  ['no adapter', null, false],
  ['no WebGPU', undefined, false],
])('knows what to try on a device with %s', async (_, adapter, webgpu) => {
  device(adapter);
  const rest = ['ort-wasm', 'tfjs-webgl', 'tfjs-wasm', 'tfjs-cpu'];
  expect(await candidates(BOTH)).toEqual(webgpu ? ['ort-webgpu', ...rest] : rest);
});

it.each([
  [24_514_176, 'ort-wasm'],
  [100_000_000, 'ort-wasm'],
  [100_000_001, 'ort-webgpu'],
  [15_034_601_216, 'ort-webgpu'],
])('leaves a picture of %i multiply-adds to %s', async (multiply_adds, first) => {
  device(CARD);
  expect((await candidates({ ...BOTH, multiply_adds }))[0]).toBe(first);
});

it('does without a WebGPU that fails', async () => {
  vi.stubGlobal('navigator', { gpu: { requestAdapter: () => Promise.reject(new Error('no')) } });
  expect((await candidates(BOTH))[0]).toBe('ort-wasm');
});

it.each(['ort-webgpu', 'tfjs-webgpu', 'tfjs-cpu'])('tries %s first where it is wanted, once', async (wanted) => {
  device(PROGRAM);
  const names = await candidates(BOTH, wanted);
  expect(names[0]).toBe(wanted);
  expect(names.slice(1)).toEqual(['ort-wasm', 'tfjs-webgl', 'tfjs-wasm', 'tfjs-cpu'].filter((name) => name !== wanted));
});

it('tries only what the bundle has graphs for', async () => {
  device(CARD);
  const onlyTfjs: Manifest = { ...BOTH, targets: { tfjs: GRAPHS } };
  expect(await candidates(onlyTfjs)).toEqual(['tfjs-webgl', 'tfjs-wasm', 'tfjs-cpu']);
  await expect(candidates(onlyTfjs, 'ort-wasm')).rejects.toMatchObject({ code: 'option' });
  await expect(candidates({ ...BOTH, targets: {} })).rejects.toThrow('tiny has nothing that a browser can run');
  await expect(candidates(BOTH, 'abacus')).rejects.toThrow('not on abacus');
});

it('chooses what every device has where it may not look', () => {
  expect(chooseRuntime(BOTH)).toBe('ort-wasm');
});
