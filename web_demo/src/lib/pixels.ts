import { GanExportError } from './errors';
import type { Tensor } from './tensor';

/** How a runtime lays out a batch of images. */
export type Layout = 'NCHW' | 'NHWC';

/** A batch of pictures, pixel by pixel: [N, H, W, C]. */
export interface Pictures {
  readonly data: Uint8ClampedArray<ArrayBuffer>;
  readonly count: number;
  readonly width: number;
  readonly height: number;
  /** 1 (grey), 3 (RGB) or 4 (RGBA). */
  readonly channels: number;
}

/**
 * Pixels of a batch of images: floor(clip((x - lo) * (255 / (hi - lo)) + 0.5, 0, 255)), each step rounded to float32
 * as Python does it.
 *
 * @throws GanExportError `runtime` when the image has another rank, or a number that is not finite.
 */
export function toPixels(image: Tensor, layout: Layout, range: readonly [number, number]): Pictures {
  if (image.shape.length !== 4) {
    throw new GanExportError('runtime', `image must have four dimensions, found ${image.shape.length}`);
  }
  const [count, height, width, channels] = (
    layout === 'NHWC' ? image.shape : [0, 2, 3, 1].map((axis) => image.shape[axis])
  ) as [number, number, number, number];

  const plane = height * width;
  const data = new Uint8ClampedArray(image.data.length);
  const toLevel = levelFrom(range);
  let position = 0;
  for (let n = 0; n < count; n++) {
    for (let pixel = 0; pixel < plane; pixel++) {
      for (let channel = 0; channel < channels; channel++) {
        const source = layout === 'NHWC' ? position : (n * channels + channel) * plane + pixel;
        data[position++] = toLevel(image.data[source]!);
      }
    }
  }
  return { data, count, width, height, channels };
}

/** One picture of a batch as RGBA, for a canvas. */
export function toImageData(pictures: Pictures, index: number): ImageData {
  const { width, height } = pictures;
  return new ImageData(toRgba(pictures, index), width, height);
}

/** One picture of a batch as RGBA bytes; grey is spread over the colours, and what has no alpha is opaque. */
export function toRgba({ data, width, height, channels }: Pictures, index: number): Uint8ClampedArray<ArrayBuffer> {
  const plane = width * height;
  const rgba = new Uint8ClampedArray(plane * 4).fill(255);
  const colours = channels === 1 ? [0, 0, 0] : [0, 1, 2, 3].slice(0, channels);
  for (let pixel = 0; pixel < plane; pixel++) {
    const source = (index * plane + pixel) * channels;
    colours.forEach((channel, i) => {
      rgba[pixel * 4 + i] = data[source + channel]!;
    });
  }
  return rgba;
}

function levelFrom([low, high]: readonly [number, number]): (value: number) => number {
  const { fround } = Math;
  const lowest = fround(low);
  const scale = fround(255 / (high - low));
  return (value) => {
    if (!Number.isFinite(value)) throw new GanExportError('runtime', `the picture holds ${value}`);
    const level = fround(fround(fround(value - lowest) * scale) + 0.5);
    return Math.floor(Math.min(Math.max(level, 0), 255));
  };
}
