import { describe, expect, it } from 'vitest';

import { toPixels, toRgba } from '../src/lib/pixels';
import { fromBits, pixelVectors } from './vectors';

describe.each(pixelVectors)('image range $range', ({ range, values, levels }) => {
  it('rounds at every border as Python does', () => {
    const data = fromBits(values);
    const { data: found } = toPixels({ shape: [1, 1, data.length, 1], data }, 'NHWC', range);
    expect([...found]).toEqual(levels);
  });
});

describe('layouts', () => {
  // Two pictures of 1 x 2 pixels with 3 channels; the level says picture, pixel and channel.
  const levels = [0, 1].flatMap((n) => [0, 1].flatMap((p) => [0, 1, 2].map((c) => 100 * n + 10 * p + c)));
  const planar = [0, 1].flatMap((n) => [0, 1, 2].flatMap((c) => [0, 1].map((p) => 100 * n + 10 * p + c)));

  it('takes NHWC as it is', () => {
    const image = { shape: [2, 1, 2, 3], data: Float32Array.from(levels) };
    expect(toPixels(image, 'NHWC', [0, 255])).toEqual({
      data: Uint8ClampedArray.from(levels),
      count: 2,
      height: 1,
      width: 2,
      channels: 3,
    });
  });

  it('turns NCHW into NHWC', () => {
    const image = { shape: [2, 3, 1, 2], data: Float32Array.from(planar) };
    expect([...toPixels(image, 'NCHW', [0, 255]).data]).toEqual(levels);
  });
});

it.each([NaN, Infinity])('refuses a picture with %s in it', (value) => {
  const image = { shape: [1, 1, 1, 1], data: Float32Array.of(value) };
  expect(() => toPixels(image, 'NHWC', [-1, 1])).toThrow(/the picture holds/);
});

it.each([
  { channels: 1, rgba: [7, 7, 7, 255, 8, 8, 8, 255] },
  { channels: 3, rgba: [7, 8, 9, 255, 10, 11, 12, 255] },
  { channels: 4, rgba: [7, 8, 9, 10, 11, 12, 13, 14] },
])('makes RGBA of $channels channels', ({ channels, rgba }) => {
  const size = 2 * channels;
  const data = Uint8ClampedArray.from({ length: 2 * size }, (_, i) => i + 7 - size); // the second picture starts at 7
  expect([...toRgba({ data, count: 2, width: 2, height: 1, channels }, 1)]).toEqual(rgba);
});
