import { describe, expect, it } from 'vitest';

import { fitPictures, toImage } from '../src/lib/fit';
import { bitsOf, fitVectors } from './vectors';

describe.each(fitVectors)('$width × $height to $size² of $channels', ({ width, height, data, size, channels, ...expected }) => {
  const picture = { width, height, data: Uint8Array.from(data) };

  it('is what Python makes of it', () => {
    expect([...fitPictures([picture], size, channels).data]).toEqual(expected.fitted);
  });

  it('has the values that Python feeds, in both layouts', () => {
    const pictures = fitPictures([picture, picture], size, channels);
    const planar = toImage(pictures, 1, 2, 'NCHW', expected.range);
    expect(planar.shape).toEqual([1, channels, size, size]);
    expect(bitsOf(planar.data)).toEqual(expected.values);

    const dotted = toImage(pictures, 0, 2, 'NHWC', expected.range);
    expect(dotted.shape).toEqual([2, size, size, channels]);
    const plane = size * size;
    const first = Array.from({ length: channels * plane }, (_, i) => dotted.data[(i % plane) * channels + Math.floor(i / plane)]!);
    expect(bitsOf(Float32Array.from(first))).toEqual(expected.values);
  });
});

it('leaves alone what fits', () => {
  const data = Uint8ClampedArray.from({ length: 48 }, (_, i) => 5 * i);
  const fitted = fitPictures([{ data, width: 4, height: 4 }], 4, 3);
  expect(fitted).toEqual({ data, count: 1, width: 4, height: 4, channels: 3 });
});

it.each([
  [5, 2, 1],
  [0, 0, 0],
  [8, 2, 2],
])('refuses %i bytes for %i × %i', (length, width, height) => {
  expect(() => fitPictures([{ data: new Uint8Array(length), width, height }], 4, 1)).toThrow(/1, 3 or 4 bytes a pixel/);
});
