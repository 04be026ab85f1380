import { applyPalette, quantize } from 'gifenc';

/** A picture as numbers of colours. */
export interface Indexed {
  /** At most 256 colours, RGB. */
  readonly palette: readonly (readonly number[])[];
  /** One number a pixel. */
  readonly index: Uint8Array;
}

const MOST_COLOURS = 256;

/** A picture (RGBA) in at most 256 colours; one that has no more of them, as grey ones do, keeps each exactly. */
export function indexed(rgba: Uint8ClampedArray): Indexed {
  return exactly(rgba) ?? nearly(rgba);
}

function exactly(rgba: Uint8ClampedArray): Indexed | null {
  const numbers = new Map<number, number>();
  const index = new Uint8Array(rgba.length / 4);
  for (let pixel = 0; pixel < index.length; pixel++) {
    const colour = (rgba[4 * pixel]! << 16) | (rgba[4 * pixel + 1]! << 8) | rgba[4 * pixel + 2]!;
    let number = numbers.get(colour);
    if (number === undefined) {
      number = numbers.size;
      if (number === MOST_COLOURS) return null;
      numbers.set(colour, number);
    }
    index[pixel] = number;
  }
  return { palette: [...numbers.keys()].map((colour) => [colour >> 16, (colour >> 8) & 255, colour & 255]), index };
}

function nearly(rgba: Uint8ClampedArray): Indexed {
  const palette = quantize(rgba, MOST_COLOURS);
  return { palette, index: applyPalette(rgba, palette) };
}
