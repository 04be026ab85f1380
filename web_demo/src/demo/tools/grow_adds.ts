import type { Pictures } from '../../lib';
import type { Manifest } from '../../lib/manifest';

/** Colours of what is darker than before, of what is as it was, and of what is lighter. */
const LESS = [20, 80, 190] as const;
const SAME = [246, 246, 246] as const;
const MORE = [190, 40, 20] as const;

/**
 * Taps of the filter by which a network enlarges its picture before it adds the next size to it.
 *
 * @returns null where that is done in another way
 */
export function enlargingTaps({ spec }: Pick<Manifest, 'spec'>): number[] | null {
  const [low, high] = spec.image_range;
  if (spec.architecture !== 'stylegan2' || low !== -high) return null;
  const { resample_filter: taps } = spec;
  const isPlain = Array.isArray(taps) && taps.length > 1 && taps.every((tap) => typeof tap === 'number');
  return isPlain ? (taps as number[]) : null;
}

/**
 * What each of these pictures adds to the one before it, enlarged; the first adds all of itself to middle grey.
 *
 * Of what is seen: beyond black and white nothing is known.
 *
 * @param grown one picture at each size, each twice as large as the one before
 * @returns of each size the differences in grey levels, in the order of the picture's numbers
 */
export function addedBy(grown: readonly Pictures[], taps: readonly number[]): Float32Array[] {
  return grown.map((pictures, at) => {
    const before = at === 0 ? null : enlarged(grown[at - 1]!, taps);
    return Float32Array.from(pictures.data, (level, i) => level - MIDDLE - (before === null ? 0 : before[i]!));
  });
}

/** The level that stands for 0, which is beyond the edges too. */
const MIDDLE = 127.5;

/** Twice the size: zeros between the pixels, then the filter along both axes. Source: Karras et al. 2020 (StyleGAN2). */
function enlarged({ data, width, height, channels }: Pictures, taps: readonly number[]): Float32Array {
  const values = Float32Array.from(data, (level) => level - MIDDLE);
  const wider = stretched(values, height, width, channels, taps);
  return stretched(wider, 1, height, width * 2 * channels, taps);
}

/** [outer, size, inner] -> [outer, 2·size, inner]. */
function stretched(x: Float32Array, outer: number, size: number, inner: number, taps: readonly number[]): Float32Array {
  const sum = taps.reduce((total, tap) => total + tap, 0);
  const first = (taps.length + 1) >> 1; // zeros before the first pixel
  const y = new Float32Array(outer * size * 2 * inner);
  for (let o = 0; o < outer; o++) {
    for (let to = 0; to < 2 * size; to++) {
      for (let t = 0; t < taps.length; t++) {
        const from = to + t - first;
        if (from < 0 || from >= 2 * size || from % 2 === 1) continue;
        const weight = (2 * taps[taps.length - 1 - t]!) / sum;
        for (let i = 0; i < inner; i++) {
          y[(o * 2 * size + to) * inner + i]! += weight * x[(o * size + from / 2) * inner + i]!;
        }
      }
    }
  }
  return y;
}

/** Differences as a picture: of grey ones red is lighter and blue darker, of others middle grey is as it was. */
export function inColours(added: Float32Array, { width, height, channels }: Pictures, most: number): Pictures {
  const data = new Uint8ClampedArray(width * height * 3);
  const scale = Math.max(most, 1);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let colour = 0; colour < 3; colour++) {
      const share = added[pixel * channels + (channels === 1 ? 0 : colour)]! / scale;
      const end = share < 0 ? LESS : MORE;
      const signed = SAME[colour]! + Math.abs(share) * (end[colour]! - SAME[colour]!);
      data[pixel * 3 + colour] = channels === 1 ? signed : MIDDLE + share * MIDDLE;
    }
  }
  return { data, count: 1, width, height, channels: 3 };
}
