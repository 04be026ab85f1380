import type { Picture } from '../../../lib/fit';

/** Of a drawing's picture, what its longer side takes, as in MNIST: 20 of 28 pixels, and 2 more around them. */
const SHARE = 20 / 32;

/** Levels from this on are ink. */
const INK = 32;

/**
 * A drawing, light on dark, as MNIST places its digits: brought to one size, its centre of mass in the middle.
 *
 * Source: LeCun et al. 1998 (Gradient-based learning applied to document recognition), section III A.
 *
 * @param drawing one byte a pixel
 * @returns a square cut out of it, which may reach beyond it; null where nothing is drawn
 */
export function placed({ data, width, height }: Picture): Picture | null {
  let [left, right, top, bottom] = [width, -1, height, -1];
  let [mass, massX, massY] = [0, 0, 0];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const level = data[y * width + x]!;
      if (level < INK) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += level;
      massX += level * (x + 0.5);
      massY += level * (y + 0.5);
    }
  }
  if (mass === 0) return null;
  const side = Math.round(Math.max(right - left + 1, bottom - top + 1) / SHARE);
  const startX = begin(massX / mass, side, left, right);
  const startY = begin(massY / mass, side, top, bottom);
  const cut = new Uint8Array(side * side);
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) cut[(y - startY) * side + x - startX] = data[y * width + x]!;
  }
  return { data: cut, width: side, height: side };
}

/** Where a side begins whose middle is to be here, and in which all ink is to lie. */
function begin(middle: number, side: number, first: number, last: number): number {
  return Math.min(Math.max(Math.round(middle - side / 2), last + 1 - side), first);
}
