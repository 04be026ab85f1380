import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Generator, Progress } from '../src/lib/api';
import { GanExportError } from '../src/lib/errors';
import { openInPlace } from '../src/lib/in_place';
import { ADDRESS, FakeRuntime, fetched, FILE, RESOLUTION, serveBundle } from './fake_bundle';

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

it('finds latents and classes, some pictures at a time', async () => {
  const { generator, runtime } = await open();
  const { tensor, labels, probabilities, pictures, ...rest } = await generator.encode([255, 0, 51, 255, 0].map(plain));
  expect(rest).toEqual({ space: 'z', seeds: [0, 0, 0, 0, 0] });
  expect(runtime.runs.map(({ inputs }) => inputs['image']!.shape)).toEqual([4, 1].map((n) => [n, 1, RESOLUTION, RESOLUTION]));
  expect(tensor.shape).toEqual([5, 5]);
  [1, -1, -0.6, 1, -1].forEach((first, n) => expect(tensor.data[n * 5]).toBeCloseTo(first, 6)); // of −1…1
  expect(labels).toEqual([0, 1, 1, 0, 1]); // c_logits are the same first value, 0 and 0
  const { E } = Math;
  [E, 1, 1].forEach((power, at) => expect(probabilities!.data[at]).toBeCloseTo(power / (E + 2), 6));
  expect(probabilities!.shape).toEqual([5, 3]);
  expect([pictures.count, pictures.width, pictures.data[0]]).toEqual([5, RESOLUTION, 255]);
});

it('gives z that the mapping takes under any class', async () => {
  const { generator, runtime } = await open();
  const encoded = await generator.encode([plain(255)]);
  await expect(generator.draw(encoded)).rejects.toThrow('latents({ z, … }) takes them there');
  await generator.latents({ seeds: encoded.seeds, label: 2, z: encoded.tensor });
  expect(runtime.runs.at(-1)!.inputs['z']).toEqual(encoded.tensor);
});

it('fetches the encoder when it is first used, once, and counts its bytes', async () => {
  const progress: Progress[] = [];
  const generator = await openInPlace(ADDRESS, { onProgress: (step) => progress.push(step) });
  expect(fetched()).not.toContain('https://example.org/encoder.onnx');
  vi.mocked(fetch).mockRejectedValueOnce(new TypeError('fetch failed')).mockRejectedValueOnce(new TypeError('fetch failed'));
  await generator.encode([plain(1)]).catch(() => undefined); // another try follows a failure
  await Promise.all([generator.encode([plain(1)]), generator.encode([plain(2)])]);
  const settled = fetched().length;
  await generator.encode([plain(3)]);
  expect(fetched()).toHaveLength(settled);
  expect(made[0]!.loads).toEqual([['mapping', 'synthesis.0', 'synthesis.1'], ['encoder']]);
  expect(progress.at(-1)).toEqual({ loaded: FILE.length, total: FILE.length });
});

it('is loaded anew where a runtime broke down', async () => {
  const { generator, runtime } = await open();
  await generator.encode([plain(1)]);
  runtime.before = () => {
    throw new GanExportError('broken', 'no memory');
  };
  await generator.encode([plain(1)]);
  expect(made).toHaveLength(2);
  expect(made[1]!.loads.at(-1)).toEqual(['encoder']);
});

it('says what it cannot do', async () => {
  const { generator, runtime } = await open();
  Object.assign(generator.manifest.encoder!, { graphs: {} });
  const none = { code: 'option', message: expect.stringMatching(/tiny has an encoder for nothing, which .* does not run/) };
  await expect(generator.encode([plain(1)])).rejects.toMatchObject(none);
  Object.assign(generator.manifest, { encoder: null });
  await expect(generator.encode([plain(1)])).rejects.toMatchObject({ code: 'option' });
  expect(runtime.runs).toEqual([]);
});

it('refuses latents of another size than the manifest promises', async () => {
  const { generator } = await open();
  Object.assign(generator.manifest.spec, { z_dim: 6 });
  const error = { code: 'runtime', message: 'z is [1, 5]; the manifest promises [1, 6]' };
  await expect(generator.encode([plain(1)])).rejects.toMatchObject(error);
});

/** A grey picture of one level. */
function plain(level: number): { data: Uint8ClampedArray; width: number; height: number } {
  return { data: new Uint8ClampedArray(4).fill(level), width: 2, height: 2 };
}

async function open(): Promise<{ generator: Generator; runtime: FakeRuntime }> {
  return { generator: await openInPlace(ADDRESS), runtime: made.at(-1)! };
}
