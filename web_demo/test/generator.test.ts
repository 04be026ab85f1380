import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Generator, Progress } from '../src/lib/api';
import { openInPlace } from '../src/lib/in_place';
import { ADDRESS, FakeRuntime, fetched, FILE, serveBundle } from './fake_bundle';

const made: FakeRuntime[] = [];

vi.mock('../src/lib/runtimes/registry', async (original) => ({
  ...(await original<typeof import('../src/lib/runtimes/registry')>()),
  createRuntime: async () => {
    made.push(new FakeRuntime());
    return made.at(-1);
  },
}));

beforeEach(async () => {
  made.length = 0;
  await serveBundle();
});

afterEach(() => vi.unstubAllGlobals());

it('feeds each graph what it lists, some pictures at a time, and asks for what is needed', async () => {
  const { generator, runtime } = await open();
  const { data, count, width } = await generator.generate({ seeds: [1, 2, 3, 4, 5], label: 'dog', psi: 0, cutoff: 1 });
  expect([count, width]).toEqual([5, 256]);
  expect(new Set(data)).toEqual(new Set([128]));
  const stages = [
    ['synthesis.0', ['ws', 'shift'], ['x_b64', 'rgb_b64']],
    ['synthesis.1', ['ws', 'x_b64', 'rgb_b64'], ['image']],
  ];
  const runs = runtime.runs.map(({ graph, inputs, outputs }) => [graph, Object.keys(inputs), outputs]);
  expect(runs).toEqual([['mapping', ['z', 'truncation_psi'], ['ws']], ...stages, ...stages]);
  expect(runtime.runs.map(({ inputs }) => Object.values(inputs)[0]!.shape[0])).toEqual([5, 4, 4, 1, 1]);
});

it('gives latents that can be drawn later, each row its own', async () => {
  const { generator } = await open();
  const latents = await generator.latents({ seeds: [7, 8], label: ['dog', 0], psi: 0.5, cutoff: 2 });
  expect(latents).toMatchObject({ space: 'w', labels: [1, 0], seeds: [7, 8], tensor: { shape: [2, 4, 2] } });
  latents.tensor.data.fill(-1, 8); // the second row
  const { data } = await generator.draw(latents);
  expect([data[0], data.at(-1)]).toEqual([191, 0]); // 0.5 and −1 of −1…1
});

it('maps z in place of that of the seeds', async () => {
  const { generator, runtime } = await open();
  const z = { shape: [1, 5], data: Float32Array.of(1, 2, 3, 4, 5) };
  await generator.latents({ seeds: [7], label: 0, z });
  expect(runtime.runs[0]!.inputs['z']).toEqual(z);
});

it('stops at the stage that gives the size, and asks that for no more', async () => {
  const { generator, runtime } = await open();
  const pictures = await generator.generate({ seeds: [1], label: 0, resolution: 32 });
  expect(pictures).toMatchObject({ width: 32, height: 32, count: 1 });
  expect(runtime.runs.slice(1).map(({ graph, outputs }) => [graph, outputs])).toEqual([['synthesis.0', ['rgb_b32']]]);
});

it('shows the largest picture of a stage before the next stage runs', async () => {
  const { generator, runtime } = await open();
  const seen: unknown[] = [];
  await generator.generate({
    seeds: [1, 2, 3, 4, 5],
    label: 0,
    onPreview: ({ width, count }, first) => seen.push([width, count, first, runtime.runs.at(-1)!.graph]),
  });
  expect(seen).toEqual([
    [64, 4, 0, 'synthesis.0'],
    [64, 1, 4, 'synthesis.0'],
  ]);
});

it('draws every size on the way, in one run of each stage', async () => {
  const { generator, runtime } = await open();
  const latents = await generator.latents({ seeds: [1], label: 0 });
  const grown = await generator.grow(latents);
  expect(grown.map(({ width, data }) => [width, data.length])).toEqual([32, 64, 256].map((size) => [size, size ** 2]));
  expect(runtime.runs.map(({ graph }) => graph)).toEqual(['mapping', 'synthesis.0', 'synthesis.1']);
  expect((await generator.grow(latents, { resolution: 64 })).map(({ width }) => width)).toEqual([32, 64]);
});

it('feeds further inputs, by default or as given', async () => {
  const { generator, runtime } = await open();
  await generator.generate({ seeds: [1, 2], label: 0 });
  await generator.generate({ seeds: [1, 2], label: 0, inputs: { shift: [5, 6] } });
  const fed = runtime.runs.filter(({ graph }) => graph === 'synthesis.0').map(({ inputs }) => inputs['shift']);
  expect(fed).toEqual([
    { shape: [2, 2], data: Float32Array.of(3, 4, 3, 4) },
    { shape: [2, 2], data: Float32Array.of(5, 6, 5, 6) },
  ]);
});

it('fetches the weights beside its graphs, each file once, and counts them', async () => {
  const progress: Progress[] = [];
  await openInPlace(ADDRESS, { onProgress: (step) => progress.push(step) });
  const names = ['ganexport.json', 'graph.onnx', 'shared.bin', 'own.bin'];
  expect(fetched().sort()).toEqual(names.map((name) => `https://example.org/${name}`).sort());
  const total = 3 * FILE.length;
  expect(progress.at(-1)).toEqual({ loaded: total, total });
});

it('fetches directions when they are asked for, once, and again after a failure', async () => {
  const { generator } = await open();
  const before = fetched().length;
  vi.mocked(fetch).mockRejectedValueOnce(new TypeError('fetch failed'));
  await generator.directions().catch(() => undefined);
  const asked = await Promise.all([generator.directions(), generator.directions()]);
  expect(fetched().slice(before).filter((url) => !url.endsWith('directions.safetensors'))).toEqual([]);
  expect(asked[0]).toEqual([expect.objectContaining({ name: 'pca-0', title: 'age', vector: Float32Array.of(3, 4) })]);
  const settled = fetched().length;
  await generator.directions();
  expect(fetched()).toHaveLength(settled);
});

it.each([
  ['image', [1, 1, 512, 512]],
  ['image', [1, 4, 128, 128]],
  ['image', [2, 1, 256, 256]],
  ['ws', [1, 4, 999]],
])('refuses %s of another size than the manifest promises', async (name, shape) => {
  const { generator, runtime } = await open();
  const run = runtime.run.bind(runtime);
  const lie = { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
  runtime.run = async (graph, inputs, outputs) => ({ ...(await run(graph, inputs, outputs)), ...(outputs.includes(name) && { [name]: lie }) });
  const error = { code: 'runtime', message: expect.stringContaining(`${name} is [${shape.join(', ')}]; the manifest promises`) };
  await expect(generator.generate({ seeds: [1], label: 0 })).rejects.toMatchObject(error);
});

it('says which preview the synthesis does not have', async () => {
  const { generator } = await open();
  const latents = await generator.latents({ seeds: [1], label: 0 });
  Object.assign(generator.manifest, { previews: [16, 32, 64] });
  const error = { code: 'manifest', message: 'the synthesis has no output rgb_b16' };
  await expect(generator.grow(latents)).rejects.toMatchObject(error);
});

it('goes on after a run that failed', async () => {
  const { generator, runtime } = await open();
  failOnce(runtime, 'out of memory');
  const first = generator.generate({ seeds: [1], label: 0 });
  const second = generator.generate({ seeds: [2], label: 0 });
  await expect(first).rejects.toThrow('out of memory');
  await expect(second).resolves.toMatchObject({ count: 1 });
});

it('skips a run that was aborted while it waited', async () => {
  const { generator, runtime } = await open();
  const abort = new AbortController();
  const first = generator.generate({ seeds: [1], label: 0 });
  const second = generator.generate({ seeds: [2], label: 0, signal: abort.signal });
  abort.abort();
  await first;
  await expect(second).rejects.toBe(abort.signal.reason);
  expect(runtime.runs).toHaveLength(3);
});

it('stops between stages when it is aborted, and draws again', async () => {
  const { generator, runtime } = await open();
  const abort = new AbortController();
  runtime.before = ({ graph }) => (graph === 'synthesis.0' ? abort.abort() : undefined);
  const stopped = generator.generate({ seeds: [1], label: 0, signal: abort.signal });
  await expect(stopped).rejects.toMatchObject({ name: 'AbortError' });
  expect(runtime.runs.at(-1)!.graph).toBe('synthesis.0');
  await expect(generator.generate({ seeds: [1], label: 0 })).resolves.toMatchObject({ count: 1 });
});

it('gives the runtime back once, and draws no more', async () => {
  const { generator, runtime } = await open();
  await Promise.all([generator.dispose(), generator.dispose()]);
  expect(runtime.disposed).toBe(1);
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
  [{ seeds: [1], label: 0, resolution: 48 }, 'tiny draws at 32, 64, 256 pixels; not at 48'],
  [{ seeds: [1], label: 0, z: { shape: [5], data: new Float32Array(5) } }, 'z must be [1, 5], one row a seed; found [5]'],
])('refuses %o', async (options, message) => {
  const { generator } = await open();
  await expect(generator.generate(options)).rejects.toThrow(message);
});

it('refuses latents of another space or shape', async () => {
  const { generator } = await open();
  const latents = await generator.latents({ seeds: [1], label: 0 });
  await expect(generator.draw({ ...latents, space: 'z' })).rejects.toThrow('tiny draws from w; these latents are in z');
  const message = 'latents must be [2, 4, 2], one row a seed; found [1, 4, 2]';
  await expect(generator.draw({ ...latents, seeds: [1, 2] })).rejects.toThrow(message);
});

async function open(): Promise<{ generator: Generator; runtime: FakeRuntime }> {
  return { generator: await openInPlace(ADDRESS), runtime: made.at(-1)! };
}

function failOnce(runtime: FakeRuntime, message: string): void {
  runtime.before = () => {
    runtime.before = () => undefined;
    throw new Error(message);
  };
}
