/** What happens where a runtime does not start, or breaks down. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Fallback, OpenOptions } from '../src/lib/api';
import { GanExportError } from '../src/lib/errors';
import { openInPlace } from '../src/lib/in_place';
import type { RuntimeName } from '../src/lib/runtimes/registry';
import { ADDRESS, FakeRuntime, fetched, serveBundle } from './fake_bundle';

const NAMES: readonly RuntimeName[] = ['ort-wasm', 'tfjs-wasm', 'tfjs-cpu'];

const runtimes = new Map<string, FakeRuntime>();
const unable = new Set<string>();
let fallbacks: Fallback[] = [];

vi.mock('../src/lib/runtimes/registry', async (original) => ({
  ...(await original<typeof import('../src/lib/runtimes/registry')>()),
  candidates: async () => [...NAMES],
  createRuntime: async (name: RuntimeName) => {
    if (unable.has(name)) throw new GanExportError('runtime', `${name} could not start: not here`);
    runtimes.set(name, new FakeRuntime());
    return runtimes.get(name);
  },
}));

beforeEach(async () => {
  runtimes.clear();
  unable.clear();
  fallbacks = [];
  await serveBundle();
});

afterEach(() => vi.unstubAllGlobals());

it('starts the next runtime where one does not start, with the files that it needs', async () => {
  unable.add('ort-wasm').add('tfjs-wasm');
  const { runtime, runtimeVersion } = await open();
  expect([runtime, runtimeVersion]).toEqual(['tfjs-cpu', '1']);
  expect(fallbacks).toEqual([
    { from: 'ort-wasm', to: 'tfjs-wasm', reason: 'ort-wasm could not start: not here' },
    { from: 'tfjs-wasm', to: 'tfjs-cpu', reason: 'tfjs-wasm could not start: not here' },
  ]);
  expect(fetched().filter((url) => url.endsWith('shared.bin'))).toHaveLength(1);
  expect(fetched().filter((url) => url.endsWith('graph.tfjs'))).toHaveLength(1);
});

it('says what the last one said where none starts', async () => {
  for (const name of NAMES) unable.add(name);
  await expect(open()).rejects.toThrow('tfjs-cpu could not start: not here');
  expect(fallbacks).toEqual([]);
});

it('repeats on the next runtime the call in which one broke down', async () => {
  const generator = await open();
  breakAt('ort-wasm', 'synthesis.1');
  const pictures = await generator.generate({ seeds: [1], label: 0, psi: 0 });
  expect(new Set(pictures.data)).toEqual(new Set([128]));
  expect(fallbacks).toEqual([{ from: 'ort-wasm', to: 'tfjs-wasm', reason: 'device lost' }]);
  expect(generator.runtime).toBe('tfjs-wasm');
  expect(runtimes.get('ort-wasm')!.disposed).toBe(1);
  expect(runtimes.get('tfjs-wasm')!.runs.map(({ graph }) => graph)).toEqual(['synthesis.0', 'synthesis.1']);
});

it('keeps the last runtime: a call fails, the next one starts it anew', async () => {
  unable.add('ort-wasm').add('tfjs-wasm');
  const generator = await open();
  const first = breakAt('tfjs-cpu', 'mapping');
  await expect(generator.generate({ seeds: [1], label: 0 })).rejects.toMatchObject({ code: 'broken' });
  await expect(generator.generate({ seeds: [1], label: 0 })).resolves.toMatchObject({ count: 1 });
  expect(runtimes.get('tfjs-cpu')).not.toBe(first);
});

it('goes over to no other runtime where that was not wanted', async () => {
  const generator = await open({ fallback: false });
  breakAt('ort-wasm', 'mapping');
  await expect(generator.generate({ seeds: [1], label: 0 })).rejects.toMatchObject({ code: 'broken' });
  await expect(generator.generate({ seeds: [1], label: 0 })).resolves.toMatchObject({ count: 1 });
  expect([generator.runtime, fallbacks]).toEqual(['ort-wasm', []]);
  unable.add('ort-wasm');
  await expect(open({ fallback: false })).rejects.toThrow('ort-wasm could not start: not here');
});

it('tries no other runtime after an error that is not the runtime’s', async () => {
  vi.mocked(fetch).mockImplementation(async () => new Response('gone', { status: 404 }));
  await expect(open()).rejects.toMatchObject({ code: 'http' });
  expect(fallbacks).toEqual([]);
});

function open(options: OpenOptions = {}) {
  return openInPlace(ADDRESS, { onFallback: (fallback) => fallbacks.push(fallback), ...options });
}

/** Let a runtime break down in its next run of a graph. */
function breakAt(name: RuntimeName, graph: string): FakeRuntime {
  const runtime = runtimes.get(name)!;
  runtime.before = (run) => {
    if (run.graph === graph) throw new GanExportError('broken', 'device lost');
  };
  return runtime;
}
