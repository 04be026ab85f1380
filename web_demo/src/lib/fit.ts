import { GanExportError } from './errors';
import type { Layout, Pictures } from './pixels';
import type { Tensor } from './tensor';

/** A picture of any size: rows of pixels of 1 (grey), 3 (RGB) or 4 (RGBA) bytes, such as an `ImageData`. */
export interface Picture {
  readonly data: Uint8ClampedArray | Uint8Array;
  readonly width: number;
  readonly height: number;
}

/** How much of a new pixel an old one covers, in whole numbers. */
interface Share {
  readonly at: number;
  readonly weight: number;
}

/**
 * Pictures as those of a generator: the middle square of each, each pixel the mean of the area that it covers.
 *
 * Transparency lies on white; grey is 0.299 R + 0.587 G + 0.114 B. Python does the same to the last level.
 *
 * @throws GanExportError `option` when one is no picture.
 */
export function fitPictures(pictures: readonly Picture[], size: number, channels: number): Pictures {
  const data = new Uint8ClampedArray(pictures.length * size * size * channels);
  pictures.forEach((picture, n) => data.set(fitLevels(picture, size, channels), n * size * size * channels));
  return { data, count: pictures.length, width: size, height: size, channels };
}

/** The same for one. */
export function fitPicture(picture: Picture, size: number, channels: number): Picture {
  return fitPictures([picture], size, channels);
}

/** Values of pictures from one index to another, as a graph takes them: level · (hi − lo) / 255 + lo in float32. */
export function toImage(pictures: Pictures, start: number, end: number, layout: Layout, range: readonly [number, number]): Tensor {
  const { width, height, channels } = pictures;
  const { fround } = Math;
  const [low, high] = range;
  const step = fround((high - low) / 255);
  const plane = width * height;
  const data = new Float32Array((end - start) * plane * channels);
  for (let at = 0; at < data.length; at++) {
    const pixel = Math.floor(at / channels);
    const planar = (Math.floor(pixel / plane) * channels + (at % channels)) * plane + (pixel % plane);
    const level = pictures.data[start * plane * channels + at]!;
    data[layout === 'NCHW' ? planar : at] = fround(fround(level * step) + fround(low));
  }
  const count = end - start;
  return { shape: layout === 'NCHW' ? [count, channels, height, width] : [count, height, width, channels], data };
}

function fitLevels(picture: Picture, size: number, channels: number): number[] {
  const { width, height } = picture;
  const read = reader(picture, channels);
  const side = Math.min(width, height);
  const [left, top] = [(width - side) >> 1, (height - side) >> 1];
  const shares = sharesOf(side, size);
  const sums = new Float64Array(size * size * channels); // whole numbers, which are exact here
  const pixel = new Float64Array(channels);
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      read((top + y) * width + left + x, pixel);
      for (const row of shares[y]!) {
        for (const column of shares[x]!) {
          const target = (row.at * size + column.at) * channels;
          const weight = row.weight * column.weight;
          for (let channel = 0; channel < channels; channel++) sums[target + channel]! += weight * pixel[channel]!;
        }
      }
    }
  }
  const area = side * side;
  return Array.from(sums, (sum) => Math.floor((2 * sum + area) / (2 * area))); // a half is rounded up
}

/** For each old pixel of a row those new ones that it lies in. */
function sharesOf(side: number, size: number): Share[][] {
  return Array.from({ length: side }, (_, old) => {
    const first = Math.floor((old * size) / side);
    const last = Math.ceil(((old + 1) * size) / side);
    return Array.from({ length: last - first }, (_, i) => {
      const at = first + i;
      const weight = Math.min((at + 1) * side, (old + 1) * size) - Math.max(at * side, old * size);
      return { at, weight };
    });
  });
}

/** Reads a pixel with as many channels as are wanted. */
function reader({ data, width, height }: Picture, channels: number): (pixel: number, into: Float64Array) => void {
  const found = data.length / (width * height);
  if (found !== 1 && found !== 3 && found !== 4) {
    throw new GanExportError('option', `a picture has 1, 3 or 4 bytes a pixel; found ${data.length} for ${width} × ${height}`);
  }
  if (found === channels) {
    return (pixel, into) => {
      for (let channel = 0; channel < channels; channel++) into[channel] = data[pixel * channels + channel]!;
    };
  }
  const colour = [0, 0, 0];
  return (pixel, into) => {
    for (let i = 0; i < 3; i++) {
      const level = data[pixel * found + (found === 1 ? 0 : i)]!;
      const alpha = found === 4 ? data[pixel * 4 + 3]! : 255;
      colour[i] = Math.floor((level * alpha + 255 * (255 - alpha) + 127) / 255);
    }
    const [red, green, blue] = colour as [number, number, number];
    // In steps of 1 / 65536, as Pillow has them.
    if (channels === 1) into[0] = found === 1 ? red : (19595 * red + 38470 * green + 7471 * blue + 32768) >> 16;
    else into.set(channels === 4 ? [red, green, blue, 255] : colour);
  };
}
