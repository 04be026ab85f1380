import type { Pictures } from '../pixels';

/** How `<gan-generator>` walks between pictures. */
export interface PlayOptions {
  /** Pictures from one keyframe to the next; 30 when left out. */
  readonly frames?: number | undefined;
  /** Time from one keyframe to the next, should the device be fast enough; 2 when left out. */
  readonly seconds?: number | undefined;
  /** Whether the way leads back to its start, and is gone again and again until `signal` says stop. */
  readonly loop?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of drawn pictures that a loop keeps, so as not to draw them again in each round. */
const MOST_KEPT = 64 * 2 ** 20;

export interface Film {
  readonly count: number;
  /** Milliseconds from one picture to the next. */
  readonly interval: number;
  readonly loop: boolean;
  readonly signal: AbortSignal;
  draw(index: number): Promise<Pictures>;
  show(pictures: Pictures, index: number): void;
}

/** Draw one picture after the other, each shown when it is there but not before its time; stands still in a hidden tab. */
export async function play({ count, interval, loop, signal, draw, show }: Film): Promise<void> {
  const kept: Pictures[] = [];
  let due: number | null = null; // the first one is shown when it is there
  do {
    for (let index = 0; index < count; index++) {
      const pictures = kept[index] ?? (await draw(index));
      if (loop && pictures.data.length * (index + 1) <= MOST_KEPT) kept[index] = pictures;
      await animationFrame(due ?? 0, signal);
      show(pictures, index);
      const now = performance.now();
      due = due === null ? now + interval : Math.max(due + interval, now);
    }
  } while (loop);
}

/** The first frame of the screen at or after a time. */
function animationFrame(due: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = () => {
      if (signal.aborted) reject(signal.reason as Error);
      else if (performance.now() >= due) resolve();
      else requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
  });
}

/** Whether this visitor wants still pictures. */
export function prefersStill(): boolean {
  return matchMedia('(prefers-reduced-motion: reduce)').matches;
}
