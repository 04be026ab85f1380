/** Pictures that follow each other, for an encoder to take one by one. */
export interface Film {
  readonly count: number;
  /** Pictures a second. */
  readonly rate: number;
  /** Each picture when it is asked for; large ones are not kept. */
  frames(signal: AbortSignal): AsyncIterable<ImageData>;
}

/** How an encoder is watched and stopped. */
export interface EncodeOptions {
  readonly signal: AbortSignal;
  /** Told how many pictures are encoded. */
  readonly onFrame: (done: number) => void;
}

/** Makes a file of a film. An abort throws the signal's reason. */
export type Encode = (film: Film, options: EncodeOptions) => Promise<Blob>;

/** A side that a moving picture should have, so that players show it well. */
const LEAST_SIDE = 256;

/** By which whole number to enlarge a picture for a player; large ones stay as they are. */
export function enlargement(side: number): number {
  return Math.max(1, Math.ceil(LEAST_SIDE / side));
}

/** Each pixel as a square of `factor` by `factor`, so that its colour stays what it was: RGBA. */
export function enlarge(rgba: Uint8ClampedArray, width: number, factor: number): Uint8ClampedArray<ArrayBuffer> {
  const pixels = new Uint32Array(rgba.buffer, rgba.byteOffset, rgba.length / 4);
  const height = pixels.length / width;
  const wide = width * factor;
  const enlarged = new Uint32Array(wide * height * factor);
  for (let y = 0; y < height; y++) {
    const start = y * factor * wide;
    for (let x = 0; x < width; x++) enlarged.fill(pixels[y * width + x]!, start + x * factor, start + (x + 1) * factor);
    for (let copy = 1; copy < factor; copy++) enlarged.copyWithin(start + copy * wide, start, start + wide);
  }
  return new Uint8ClampedArray(enlarged.buffer);
}

/** A picture as players want it: large enough. */
export function forPlayers(image: ImageData): ImageData {
  const factor = enlargement(Math.min(image.width, image.height));
  if (factor === 1) return image;
  return new ImageData(enlarge(image.data, image.width, factor), image.width * factor);
}
