import { type Pictures, toImageData } from '../../lib';
import type { Latents } from '../../lib/api';
import { pickRows } from '../../lib/toolbox';
import type { Film } from '../export/film';
import type { Shown, Studio } from '../studio';
import { drawEach, rowsAtOnce, sizeUpTo } from './parts/drawing';

/** Pictures are kept for playing up to this size; larger ones are drawn again for a file. */
export const MOST_SIDE = 256;

/** Latents as a film: for the player in a size that can be kept, for a file in full. */
export class WalkFilm implements Film {
  /** What is there to be played; undefined for what is still to come. */
  readonly shown: (Shown | undefined)[];
  readonly #studio: Studio;
  readonly #latents: Latents;
  readonly #describe: (row: number, pictures: Pictures, index: number) => Shown;

  /**
   * @param rate pictures a second
   * @param describe what is known of the picture of a row
   */
  constructor(
    studio: Studio,
    latents: Latents,
    readonly rate: number,
    describe: (row: number, pictures: Pictures, index: number) => Shown,
  ) {
    this.#studio = studio;
    this.#latents = latents;
    this.#describe = describe;
    this.shown = latents.seeds.map(() => undefined);
  }

  get count(): number {
    return this.shown.length;
  }

  /** Draw what is not there yet, for the player. */
  async draw(signal: AbortSignal, onPicture: () => void): Promise<void> {
    const missing = [...this.shown.keys()].filter((row) => this.shown[row] === undefined);
    const generator = await this.#studio.generator();
    const latents = pickRows(this.#latents, missing);
    await drawEach(this.#studio, generator, latents, { signal, resolution: this.#size }, (at, pictures, index) => {
      const row = missing[at]!;
      const small = shrunk(pictures, index, MOST_SIDE);
      this.shown[row] = small ? this.#describe(row, small, 0) : this.#describe(row, pictures, index);
      onPicture();
    });
  }

  async *frames(signal: AbortSignal): AsyncGenerator<ImageData> {
    const generator = await this.#studio.generator();
    const step = rowsAtOnce(this.#studio.manifest.spec.resolution);
    for (let first = 0; first < this.count; first += step) {
      signal.throwIfAborted();
      const rows = Array.from({ length: Math.min(step, this.count - first) }, (_, i) => first + i);
      const areWhole = this.#studio.manifest.spec.resolution <= MOST_SIDE;
      const kept = areWhole ? rows.flatMap((row) => this.shown[row] ?? []) : [];
      if (kept.length === rows.length) {
        for (const { pictures, index } of kept) yield toImageData(pictures, index);
      } else {
        const options = { ...this.#studio.drawOptions(), signal };
        const pictures = await generator.draw(pickRows(this.#latents, rows), options);
        for (const index of rows.keys()) yield toImageData(pictures, index);
      }
    }
  }

  get #size(): number | undefined {
    return sizeUpTo(MOST_SIDE, this.#studio.manifest);
  }
}

/** One picture of a batch at no more than this side, each pixel the mean of a square; null where it is small enough. */
export function shrunk({ data, width, height, channels }: Pictures, index: number, most: number): Pictures | null {
  const factor = Math.ceil(Math.max(width, height) / most);
  if (factor <= 1) return null;
  const [columns, rows] = [Math.floor(width / factor), Math.floor(height / factor)];
  const sums = new Float32Array(columns * rows * channels);
  const start = index * width * height * channels;
  for (let y = 0; y < rows * factor; y++) {
    for (let x = 0; x < columns * factor; x++) {
      const from = start + (y * width + x) * channels;
      const to = (Math.floor(y / factor) * columns + Math.floor(x / factor)) * channels;
      for (let channel = 0; channel < channels; channel++) sums[to + channel]! += data[from + channel]!;
    }
  }
  const means = Uint8ClampedArray.from(sums, (sum) => sum / factor ** 2);
  return { data: means, count: 1, width: columns, height: rows, channels };
}
