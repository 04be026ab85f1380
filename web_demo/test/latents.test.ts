import { describe, expect, it } from 'vitest';

import { labelIndex, noiseFromSeeds, oneHot, truncationPsi, zFromSeeds } from '../src/lib/latents';
import { RandomState } from '../src/lib/random_state';
import { manifestOf } from './manifest_of';
import { bitsOf, noiseVectors } from './vectors';

it('draws z with one random stream a seed', () => {
  const { spec } = manifestOf({ z_dim: 5 });
  const { shape, data } = zFromSeeds([8, 3], spec);
  expect(shape).toEqual([2, 5]);
  expect([...data]).toEqual([...new RandomState(8).randn(5), ...new RandomState(3).randn(5)]);
});

it('draws even z for nets that were trained so', () => {
  const { spec } = manifestOf({ z_dim: 2, z_distribution: 'uniform' });
  expect([...zFromSeeds([1], spec).data]).toEqual([...new RandomState(1).uniform(-1, 1, 2)]);
});

it.each(noiseVectors)('draws $noise noise after $z z as Python does', (vector) => {
  const { spec } = manifestOf({ z_dim: 5, z_distribution: vector.z, noise_distribution: vector.noise });
  const inputs = [
    { name: 'noise.b4.conv1', shape: ['N', 1, 4, 4] as const, dtype: 'float32' as const },
    { name: 'noise.b8.conv0', shape: ['N', 1, 3, 5] as const, dtype: 'float32' as const },
  ];
  const noise = noiseFromSeeds([3, 2 ** 32 - 1], spec, inputs, true);
  expect(noise['noise.b8.conv0']!.shape).toEqual([2, 1, 3, 5]);
  for (const [name, bits] of Object.entries(vector.values)) expect(bitsOf(noise[name]!.data)).toEqual(bits);
  const silence = noiseFromSeeds([3], spec, inputs, false)['noise.b4.conv1']!;
  expect(silence).toEqual({ shape: [1, 1, 4, 4], data: new Float32Array(16) });
});

it('makes one-hot rows', () => {
  expect(oneHot([2, 0], 3)).toEqual({ shape: [2, 3], data: Float32Array.of(0, 0, 1, 1, 0, 0) });
});

it('truncates the first ws, or all', () => {
  expect([...truncationPsi(2, 0.5, 1, 3).data]).toEqual([0.5, 1, 1, 0.5, 1, 1]);
  expect([...truncationPsi(1, 0.5, null, 3).data]).toEqual([0.5, 0.5, 0.5]);
  expect([...truncationPsi(1, 0.5, 0, 3).data]).toEqual([1, 1, 1]);
});

describe('labelIndex', () => {
  const manifest = manifestOf({ c_dim: 3 });

  it.each([
    [1, 1],
    ['1', 1],
    ['dog', 1],
    ['0', 2], // a name wins
  ])('finds %s', (label, index) => {
    expect(labelIndex(label, manifest)).toBe(index);
  });

  it.each([3, -1, 0.5, 'bird', ''])('refuses %s and lists the classes', (label) => {
    expect(() => labelIndex(label, manifest)).toThrow(/knows 0 to 2; its classes are cat, dog, 0/);
  });

  it('says that there are no classes', () => {
    expect(() => labelIndex(0, manifestOf({ c_dim: 0 }))).toThrow('label 0 has no meaning: tiny draws without classes');
  });
});
