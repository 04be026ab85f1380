import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { formatSettings, parseSettings, type Settings } from '../src/lib/element/attributes';
import { play } from '../src/lib/element/walk';
import type { Pictures } from '../src/lib/pixels';

const UNSET: Settings = { seed: 0, label: null, psi: null, cutoff: null, noise: null };

test('a form sends what is given, and reads it again', () => {
  expect(formatSettings(UNSET)).toBe('seed=0');
  const settings: Settings = { seed: 42, label: 'a b&c', psi: 0.5, cutoff: 0, noise: 'none' };
  const text = formatSettings(settings);
  expect(text).toBe('seed=42&label=a+b%26c&psi=0.5&cutoff=0&noise=none');
  expect(Object.fromEntries(parseSettings(text))).toEqual({
    ...{ seed: '42', label: 'a b&c', psi: '0.5', cutoff: '0', noise: 'none' },
  });
  expect([...parseSettings('psi=1').values()]).toEqual([null, null, '1', null, null]);
});

function picture(size: number): Pictures {
  return { data: new Uint8ClampedArray(size), count: 1, width: size, height: 1, channels: 1 };
}

/** A screen of 100 frames a second. */
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout'] });
  vi.stubGlobal('requestAnimationFrame', (then: () => void) => setTimeout(then, 10));
});

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

/** Plays a film to its end; `drawing` is how long a picture takes, and the result when each was shown. */
async function times(interval: number, drawing: number, count = 4): Promise<number[]> {
  const shown: number[] = [];
  const start = performance.now();
  const done = play({
    ...{ count, interval, loop: false, signal: new AbortController().signal },
    draw: () => new Promise((resolve) => setTimeout(() => resolve(picture(1)), drawing)),
    show: () => shown.push(performance.now() - start),
  });
  await vi.runAllTimersAsync();
  await done;
  return shown;
}

test('pictures are shown at their times where they are there by then', async () => {
  const shown = await times(100, 20);
  const steps = shown.slice(1).map((time, i) => time - shown[i]!);
  expect(steps).toEqual([100, 100, 100]);
});

test('pictures that come late are shown when they come, without a rush after them', async () => {
  const shown = await times(50, 200);
  expect(shown.slice(1).map((time, i) => time - shown[i]!)).toEqual([210, 210, 210]);
});

test.each([
  { size: 10, drawn: 3, what: 'is drawn once' },
  { size: 40 * 2 ** 20, drawn: 7, what: 'is drawn again where it is too large to be kept' },
])('a loop $what', async ({ size, drawn }) => {
  const stop = new AbortController();
  const shown: number[] = [];
  const draw = vi.fn(async () => picture(size));
  const done = play({
    ...{ count: 3, interval: 10, loop: true, signal: stop.signal, draw },
    show: (_, index) => shown.push(index) === 9 && stop.abort(new Error('enough')),
  });
  const reason = expect(done).rejects.toThrow('enough');
  await vi.runAllTimersAsync();
  await reason;
  expect(shown).toEqual([0, 1, 2, 0, 1, 2, 0, 1, 2]);
  expect(draw).toHaveBeenCalledTimes(drawn);
});
