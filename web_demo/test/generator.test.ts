import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import { sha256 } from '../src/lib/loading/fetch_verified';
import { type Generator, openBundle, type Progress } from '../src/lib/generator';
import type { Graph, Manifest } from '../src/lib/manifest';
import type { Runtime } from '../src/lib/runtimes/runtime';
import type { Tensors } from '../src/lib/tensor';
import { manifestOf } from './manifest_of';

const RESOLUTION = 256; // so that 5 pictures need two runs
const FILE = new TextEncoder().encode('graph');

const runs: { graph: string; inputs: Tensors }[] = [];
let failNext = false;
let disposed = 0;

/** Draws a grey that is the first `truncation_psi` of each picture. */
const fake: Runtime = {
  target: 'onnx',
  layout: 'NCHW',
  version: '1',
  load: async () => undefined,
  async run(graph, inputs) {
    runs.push({ graph, inputs });
    if (failNext) {
      failNext = false;
      throw new Error('out of memory');
    }
    if (graph === 'mapping') return { ws: inputs['truncation_psi']! };
    const { shape, data } = inputs['ws']!;
    const plane = RESOLUTION * RESOLUTION;
    const image = Float32Array.from({ length: shape[0]! * plane }, (_, i) => data[Math.floor(i / plane) * shape[1]!]!);
    return { image: { shape: [shape[0]!, 1, RESOLUTION, RESOLUTION], data: image } };
  },
  tensorCount: () => null,
  async dispose() {
    disposed++;
  },
};

vi.mock('../src/lib/runtimes/registry', async (original) => ({
  ...(await original<typeof import('../src/lib/runtimes/registry')>()),
  createRuntime: async () => fake,
}));

beforeEach(async () => {
  runs.length = 0;
  const manifest = await bundle();
  const answer = async (url: URL) => new Response(url.href.endsWith('.json') ? JSON.stringify(manifest) : FILE);
  vi.stubGlobal('fetch', vi.fn(answer));
});

afterEach(() => vi.unstubAllGlobals());

it('feeds each graph what it lists, some pictures at a time', async () => {
  const generator = await open();
  const { data, count } = await generator.generate({ seeds: [1, 2, 3, 4, 5], label: 'dog', psi: 0, cutoff: 1 });
  expect(count).toBe(5);
  expect(new Set(data)).toEqual(new Set([128]));
  expect(runs.map(({ graph, inputs }) => [graph, Object.keys(inputs)])).toEqual([
    ['mapping', ['z', 'truncation_psi']],
    ['synthesis.0', ['ws', 'shift']],
    ['mapping', ['z', 'truncation_psi']],
    ['synthesis.0', ['ws', 'shift']],
  ]);
  expect(runs.map(({ inputs }) => Object.values(inputs)[0]!.shape[0])).toEqual([4, 4, 1, 1]);
});

it('feeds further inputs, by default or as given', async () => {
  const generator = await open();
  await generator.generate({ seeds: [1, 2], label: 0 });
  await generator.generate({ seeds: [1, 2], label: 0, inputs: { shift: [5, 6] } });
  const fed = runs.filter(({ graph }) => graph === 'synthesis.0').map(({ inputs }) => inputs['shift']);
  expect(fed).toEqual([
    { shape: [2, 2], data: Float32Array.of(3, 4, 3, 4) },
    { shape: [2, 2], data: Float32Array.of(5, 6, 5, 6) },
  ]);
});

it('fetches the weights beside its graphs, each file once, and counts them', async () => {
  const progress: Progress[] = [];
  await openBundle('https://example.org/ganexport.json', { onProgress: (step) => progress.push(step) });
  const fetched = vi.mocked(fetch).mock.calls.map(([url]) => String(url));
  const names = ['ganexport.json', 'graph.onnx', 'shared.bin', 'own.bin'];
  expect(fetched.sort()).toEqual(names.map((name) => `https://example.org/${name}`).sort());
  const total = 3 * FILE.length;
  expect(progress.at(-1)).toEqual({ loaded: total, total });
});

it('goes on after a run that failed', async () => {
  const generator = await open();
  failNext = true;
  const first = generator.generate({ seeds: [1], label: 0 });
  const second = generator.generate({ seeds: [2], label: 0 });
  await expect(first).rejects.toThrow('out of memory');
  await expect(second).resolves.toMatchObject({ count: 1 });
});

it('skips a run that was aborted while it waited', async () => {
  const generator = await open();
  const abort = new AbortController();
  const first = generator.generate({ seeds: [1], label: 0 });
  const second = generator.generate({ seeds: [2], label: 0, signal: abort.signal });
  abort.abort();
  await first;
  await expect(second).rejects.toBe(abort.signal.reason);
  expect(runs).toHaveLength(2);
});

it('gives the runtime back once, and draws no more', async () => {
  const generator = await open();
  const before = disposed;
  await Promise.all([generator.dispose(), generator.dispose()]);
  expect(disposed - before).toBe(1);
  await expect(generator.generate({ seeds: [1], label: 0 })).rejects.toThrow('tiny was disposed of');
});

it.each([
  [{ seeds: [1] }, 'tiny has 3 classes: say which, for example label 0'],
  [{ seeds: [1], label: 0, psi: NaN }, 'psi must be a number, found NaN'],
  [{ seeds: [1], label: 0, cutoff: -1 }, 'cutoff must be a whole number of layers, found -1'],
  [{ seeds: [1, 2], label: [0] }, '2 seeds need as many labels, found 1'],
  [{ seeds: [1], label: 'bird' }, 'no class bird'],
  [{ seeds: [1], label: 0, noise: 'random' as const }, 'noise random has no meaning: tiny was made for noise const'],
  [{ seeds: [1], label: 0, inputs: { zoom: [1] } }, 'tiny has no input zoom; it has shift'],
  [{ seeds: [1], label: 0, inputs: { shift: [1] } }, 'input shift takes 2 numbers, found 1'],
])('refuses %o', async (options, message) => {
  const generator = await open();
  await expect(generator.generate(options)).rejects.toThrow(message);
});

function open(): Promise<Generator> {
  return openBundle('https://example.org/ganexport.json');
}

async function bundle(): Promise<Manifest> {
  const tensor = (name: string) => ({ name, shape: ['N', name === 'shift' ? 2 : 4] as const, dtype: 'float32' as const });
  const graph = (weights: readonly string[], inputs: readonly string[], outputs: readonly string[]): Graph => ({
    file: 'graph.onnx',
    weight_files: weights,
    resolution: null,
    inputs: inputs.map(tensor),
    outputs: outputs.map(tensor),
  });
  const onnx = {
    mapping: graph(['shared.bin'], ['z', 'truncation_psi'], ['ws']),
    synthesis: [graph(['shared.bin', 'own.bin'], ['ws', 'shift'], ['image', 'rgb_b8'])],
    generator: null,
  };
  const entry = { bytes: FILE.length, sha256: await sha256(FILE) };
  const files = { 'graph.onnx': entry, 'shared.bin': entry, 'own.bin': entry };
  const defaults = { truncation_psi: 1, noise_mode: 'const' as const, inputs: { shift: [3, 4] } };
  return manifestOf({ resolution: RESOLUTION }, { targets: { onnx }, files, defaults });
}
