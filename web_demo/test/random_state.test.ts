import { describe, expect, it } from 'vitest';

import { RandomState } from '../src/lib/random_state';
import { bitsOf, checksum, randomVectors } from './vectors';

describe.each(randomVectors)('seed $seed', ({ seed, ...numpy }) => {
  it('has the bits of numpy.random.RandomState.randn', () => {
    expect(bitsOf(new RandomState(seed).randn(7))).toEqual(numpy.randn);
    expect(checksum(new RandomState(seed).randn(5000))).toBe(numpy.randn_sum_5000);
  });

  it('has the bits of numpy.random.RandomState.uniform', () => {
    expect(bitsOf(new RandomState(seed).uniform(-1, 1, 7))).toEqual(numpy.uniform);
    expect(checksum(new RandomState(seed).uniform(-1, 1, 5000))).toBe(numpy.uniform_sum_5000);
  });
});

it('keeps the second number of a pair for the next call', () => {
  const random = new RandomState(3);
  const pieces = [...random.randn(3), ...random.randn(4)];
  expect(pieces).toEqual([...new RandomState(3).randn(7)]);
});

it.each([-1, 2 ** 32, 1.5, NaN])('refuses seed %s', (seed) => {
  expect(() => new RandomState(seed)).toThrow(/seed must be an integer from 0 to 4294967295/);
});
