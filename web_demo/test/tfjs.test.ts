import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { engine } from '@tensorflow/tfjs-core';
import { expect, it } from 'vitest';

import { type Manifest, parseManifest } from '../src/lib/manifest';
import { startGuarded } from '../src/lib/runtimes/guarded';
import { openBackend } from '../src/lib/runtimes/tfjs_backends';
import { tfjsOn } from '../src/lib/runtimes/tfjs';
import type { Runtime } from '../src/lib/runtimes/runtime';
import type { Tensors } from '../src/lib/tensor';

const DIGITS = resolve(import.meta.dirname, '../../converted_models/digits');
const read = (path: string) => new Uint8Array(readFileSync(resolve(DIGITS, path)));

const manifest: Manifest = parseManifest(
  readFileSync(resolve(DIGITS, 'ganexport.json'), 'utf8'),
  new URL('file:///digits/ganexport.json'),
);
const { z_dim: zDim, c_dim: cDim, num_ws: numWs } = manifest.spec;

/** The digits' mapping, on TF.js in plain JavaScript. */
async function start(): Promise<Runtime> {
  const runtime = await startGuarded('tfjs-cpu', tfjsOn('cpu'));
  const mapping = manifest.targets.tfjs!.mapping!;
  await runtime.load({ mapping }, new Map([mapping.file, ...mapping.weight_files].map((path) => [path, read(path)])));
  return runtime;
}

function inputs(changed: Tensors = {}): Tensors {
  const filled = (...shape: number[]) => ({ shape, data: new Float32Array(shape.reduce((a, b) => a * b)).fill(0.5) });
  return { z: filled(1, zDim), c: filled(1, cDim), truncation_psi: filled(1, numWs!), ...changed };
}

it('holds as many tensors after a run as before, whether it succeeded or not', async () => {
  const runtime = await start();
  const before = runtime.tensorCount()!;
  expect(before).toBeGreaterThan(0);
  const { ws } = await runtime.run('mapping', inputs(), ['ws']);
  expect(ws!.shape.slice(0, 2)).toEqual([1, numWs]);
  expect(runtime.tensorCount()).toBe(before);

  const wrong = { z: { shape: [1, 1], data: new Float32Array(1) } };
  await expect(runtime.run('mapping', inputs(wrong), ['ws'])).rejects.toMatchObject({ code: 'runtime' });
  await expect(runtime.run('mapping', inputs(), ['image'])).rejects.toMatchObject({ code: 'runtime' });
  await expect(runtime.run('synthesis', {}, [])).rejects.toThrow('graph synthesis is not loaded');
  expect(runtime.tensorCount()).toBe(before);

  expect((await runtime.run('mapping', inputs(), ['ws']))['ws']).toEqual(ws);
  await runtime.dispose();
  expect(runtime.tensorCount()).toBe(0);
});

it('gets a new backend where the old one was given up, and tells all who used that', async () => {
  const [one, other] = [await start(), await start()];
  const old = engine().backend;
  (await openBackend('cpu')).giveUp('unplugged');
  for (const runtime of [one, other]) {
    await expect(runtime.run('mapping', inputs(), ['ws'])).rejects.toThrow('tfjs-cpu lost its device: unplugged');
    await runtime.dispose();
  }
  expect(one.tensorCount()).toBe(0);

  const third = await start();
  expect(engine().backend).not.toBe(old);
  expect((await third.run('mapping', inputs(), ['ws']))['ws']!.data.every(Number.isFinite)).toBe(true);
  await third.dispose();
  expect(third.tensorCount()).toBe(0);
});
