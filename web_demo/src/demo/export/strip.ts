import { GanExportError } from '../../lib/errors';
import type { EncodeOptions, Film } from './film';

/** A side that every browser's canvas can have. */
const MOST_SIDE = 16_384;
/** Pixels that every browser's canvas can have. */
const MOST_PIXELS = 16_384 * 4096;

export interface Sheet {
  readonly columns: number;
  readonly rows: number;
}

/**
 * How pictures of this size lie in one: in a row, or in rows where that would be too long.
 *
 * @throws GanExportError `option` when they are too many for one picture.
 */
export function sheetOf(count: number, width: number, height: number): Sheet {
  const columns = Math.min(count, Math.floor(MOST_SIDE / width));
  const rows = Math.ceil(count / columns);
  if (rows * height > MOST_SIDE || columns * width * rows * height > MOST_PIXELS) {
    throw new GanExportError('option', `${count} pictures of ${width} × ${height} are too many for one PNG: take fewer`);
  }
  return { columns, rows };
}

/** All pictures in one PNG, pixel by pixel, from left to right. */
export async function encodeStrip(film: Film, { signal, onFrame }: EncodeOptions): Promise<Blob> {
  const canvas = document.createElement('canvas');
  const context = canvas.getContext('2d')!;
  let done = 0;
  for await (const image of film.frames(signal)) {
    const { columns, rows } = sheetOf(film.count, image.width, image.height);
    if (done === 0) {
      canvas.width = columns * image.width;
      canvas.height = rows * image.height;
    }
    context.putImageData(image, (done % columns) * image.width, Math.floor(done / columns) * image.height);
    onFrame(++done);
  }
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve, 'image/png'));
  canvas.width = canvas.height = 0; // Safari keeps the memory of canvases for long
  signal.throwIfAborted();
  if (blob === null) throw new GanExportError('runtime', 'the PNG could not be made: it is too large for this browser');
  return blob;
}
