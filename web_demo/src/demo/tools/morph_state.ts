import { wholeNumber } from './parts/numbers';
import { type Pick, readPicks, writePicks } from './parts/picks';

/** Keyframes, and how to go from one to the next. */
export interface Morph {
  /** Empty: some seeds from that of the settings on. */
  readonly keyframes: readonly Pick[];
  /** Pictures from one keyframe to the next. */
  readonly frames: number;
  readonly loop: boolean;
}

export const MOST_KEYFRAMES = 12;
export const FEWEST_FRAMES = 2;
export const MOST_FRAMES = 48;

const FRAMES = 24;

/** Read `1:3,5,9/24/loop`. */
export function readMorph(text: string): Morph {
  const [keyframes = '', frames = '', loop = text === '' ? 'loop' : ''] = text.split('/');
  return {
    keyframes: readPicks(keyframes).slice(0, MOST_KEYFRAMES),
    frames: wholeNumber(frames, FEWEST_FRAMES, MOST_FRAMES, FRAMES),
    loop: loop === 'loop',
  };
}

export function writeMorph({ keyframes, frames, loop }: Morph): string {
  return [writePicks(keyframes), frames, ...(loop ? ['loop'] : [])].join('/');
}

/** The same in another order: what was at `from` is at `to`. */
export function moved<T>(items: readonly T[], from: number, to: number): T[] {
  const rest = items.filter((_, at) => at !== from);
  return [...rest.slice(0, to), items[from]!, ...rest.slice(to)];
}

/** Where a frame stands: on a keyframe, or so far (0 to 1) from one to the next. */
export function placeOf(frame: number, { keyframes, frames }: Morph): { from: number; to: number; along: number } {
  const from = Math.floor(frame / frames);
  return { from, to: (from + 1) % keyframes.length, along: (frame % frames) / frames };
}
