import type { Fallback, Generator, Progress } from '../api';
import { shareBundle } from '../shared';

/** What is told of a generator while it is opened and used. */
export interface LeaseEvents {
  readonly onProgress: (progress: Progress) => void;
  readonly onLoad: () => void;
  readonly onFallback: (fallback: Fallback) => void;
}

/** One element's hold on the generator that it shares with others: taken when it is first needed, and again after it failed. */
export class Lease {
  #opening: Promise<Generator> | null = null;
  #openedWith = '';
  #held = new AbortController();
  #generator: Generator | null = null;

  constructor(readonly events: LeaseEvents) {}

  /** The generator once it is ready. */
  get generator(): Generator | null {
    return this.#generator;
  }

  /** The generator of this bundle on this runtime; another one is let go. */
  open(url: string, runtime: string | null): Promise<Generator> {
    const wanted = JSON.stringify([url, runtime]);
    if (this.#opening === null || this.#openedWith !== wanted) {
      this.close();
      this.#held = new AbortController();
      this.#openedWith = wanted;
      this.#opening = this.#open(url, runtime, this.#held.signal);
    }
    return this.#opening;
  }

  /** Stop loading, or let go. */
  close(): void {
    this.#held.abort();
    this.#opening = null;
    this.#generator = null;
  }

  async #open(url: string, runtime: string | null, signal: AbortSignal): Promise<Generator> {
    const { onProgress, onLoad, onFallback } = this.events;
    try {
      const share = await shareBundle(url, { runtime: runtime ?? undefined, signal, onProgress, onFallback });
      signal.addEventListener('abort', () => share.release());
      if (signal.aborted) share.release();
      signal.throwIfAborted();
      this.#generator = share.generator;
      onLoad();
      return share.generator;
    } catch (error) {
      if (!signal.aborted) this.close();
      throw error;
    }
  }
}
