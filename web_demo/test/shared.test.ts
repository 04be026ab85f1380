import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Fallback, Generator, OpenOptions, Progress } from '../src/lib/api';
import { shareBundle, type ShareOptions } from '../src/lib/shared';

/** A load that the test ends. */
interface Load {
  readonly url: string;
  readonly options: OpenOptions;
  readonly dispose: ReturnType<typeof vi.fn>;
  finish(): void;
  fail(error: Error): void;
}

const loads: Load[] = [];
const LINGER = 100;
let addresses = 0;
let url = '';

vi.mock('../src/lib/generator', () => ({
  openBundle: (address: string, options: OpenOptions) =>
    new Promise((resolve, reject) => {
      const dispose = vi.fn(async () => undefined);
      const finish = () => resolve({ dispose } as Partial<Generator>);
      loads.push({ url: address, options, dispose, finish, fail: reject });
      options.signal?.addEventListener('abort', () => reject(options.signal?.reason));
    }),
}));

beforeEach(() => {
  vi.useFakeTimers();
  loads.length = 0;
  url = `https://example.org/${addresses++}/ganexport.json`;
});

afterEach(() => vi.useRealTimers());

it('loads once for all, and is given back a while after the last has gone', async () => {
  const shares = [share(), share()];
  loads[0]!.finish();
  const [first, second] = await Promise.all(shares);
  const third = await share();
  expect(loads).toHaveLength(1);
  expect(second!.generator).toBe(first!.generator);
  first!.release();
  first!.release(); // counts once
  second!.release();
  vi.advanceTimersByTime(2 * LINGER);
  expect(loads[0]!.dispose).not.toHaveBeenCalled();
  third.release();
  await vi.advanceTimersByTimeAsync(LINGER + 1);
  expect(loads[0]!.dispose).toHaveBeenCalledOnce();
});

it('is kept for one who comes back in time, and loaded anew for one who is late', async () => {
  const first = share();
  loads[0]!.finish();
  (await first).release();
  vi.advanceTimersByTime(LINGER - 1);
  const second = await share();
  vi.advanceTimersByTime(2 * LINGER);
  expect([loads.length, loads[0]!.dispose.mock.calls.length]).toEqual([1, 0]);
  second.release();
  await vi.advanceTimersByTimeAsync(LINGER + 1);
  void share();
  expect(loads).toHaveLength(2);
});

it('goes on for the others when one aborts, and stops when all have', async () => {
  const aborts = [new AbortController(), new AbortController()];
  const waiting = aborts.map(({ signal }) => share({ signal }).catch((error: unknown) => error));
  aborts[0]!.abort('first');
  expect(await waiting[0]).toBe('first');
  vi.advanceTimersByTime(2 * LINGER);
  expect(loads[0]!.options.signal!.aborted).toBe(false);
  aborts[1]!.abort('second');
  expect(await waiting[1]).toBe('second');
  vi.advanceTimersByTime(LINGER + 1);
  expect(loads[0]!.options.signal!.aborted).toBe(true);
});

it('fails for all who waited, and tries anew for the next', async () => {
  const waiting = [share(), share()];
  loads[0]!.fail(new Error('gone'));
  for (const one of waiting) await expect(one).rejects.toThrow('gone');
  void share();
  expect(loads).toHaveLength(2);
});

it('tells everybody how far it is, those who come late at once, and of fallbacks while they use it', async () => {
  const seen: (Progress | Fallback)[][] = [[], []];
  const tell = (i: number): ShareOptions => ({
    onProgress: (progress) => seen[i]!.push(progress),
    onFallback: (fallback) => seen[i]!.push(fallback),
  });
  const half = { loaded: 1, total: 2 };
  const fallback = { from: 'ort-wasm', to: 'tfjs-cpu', reason: 'no memory' } as const;
  const first = share(tell(0));
  loads[0]!.options.onProgress!(half);
  const second = share(tell(1));
  loads[0]!.finish();
  (await first).release();
  await second;
  loads[0]!.options.onFallback!(fallback);
  expect(seen).toEqual([[half], [half, fallback]]);
});

it('shares nothing between other addresses, runtimes or ways to work', () => {
  void share();
  void share({ runtime: 'ort-wasm' });
  void share({ worker: false });
  void share({ fallback: false });
  void share({ runtime: '' }); // as none
  void shareBundle(`${url}?2`);
  expect(loads).toHaveLength(5);
});

function share(options: ShareOptions = {}) {
  return shareBundle(url, { linger: LINGER, ...options });
}
