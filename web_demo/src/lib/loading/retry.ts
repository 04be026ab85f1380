import type { GanExportError } from '../errors';
import { wait } from './wait';

/** Attempts without a new byte, after which a failure is one. */
const TRIES = 5;
const FIRST_DELAY_MS = 500;
/** A server that asks for a longer wait than this is not waited for. */
const LONGEST_DELAY_MS = 60_000;

/** A failure that may pass. */
export class PassingFailure extends Error {
  /** Whether the attempt brought something new before it failed: then it does not count. */
  advanced = false;

  /**
   * @param error what to say when it does not pass
   * @param afterMs how long the server asks to be left alone
   */
  constructor(
    readonly error: GanExportError,
    readonly afterMs = 0,
  ) {
    super(error.message);
  }
}

/**
 * Try until it succeeds, fails for good, or has failed too often; each wait is about twice as long as the one before.
 *
 * @throws the error of the last attempt; an abort throws the signal's reason.
 */
export async function withRetries<T>(attempt: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await attempt();
    } catch (failure) {
      signal?.throwIfAborted();
      if (!(failure instanceof PassingFailure)) throw failure;
      if (failure.advanced) failures = 1;
      if (failures >= TRIES || failure.afterMs > LONGEST_DELAY_MS) throw failure.error;
      await wait(Math.max(failure.afterMs, backOff(failures)), signal);
    }
  }
}

/** Milliseconds that `Retry-After` asks for: it holds seconds or a date. */
export function retryAfter(headers: Headers): number {
  const value = headers.get('retry-after') ?? '';
  const milliseconds = /^\d+$/.test(value) ? 1000 * Number(value) : Date.parse(value) - Date.now();
  return Math.max(0, milliseconds || 0);
}

/** With chance in it, so that many visitors do not come back at the same moment. */
function backOff(failures: number): number {
  return FIRST_DELAY_MS * 2 ** (failures - 1) * (0.5 + Math.random());
}
