import type { Fallback, Generator, Progress } from '../api';
import { openBundle } from '../generator';

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
  #loading = new AbortController();
  #generator: Generator | null = null;

  constructor(readonly events: LeaseEvents) {}

  /** The generator once it is ready. */
  get generator(): Generator | null {
    return this.#generator;
  }

  /** The generator of this bundle on this runtime; another one is let go. */
  open(url: string, runtime: string | null): Promise<Generator> {
    const wanted = JSON.stringify([url, runtime]);
    if (this.#opening !== null && this.#openedWith === wanted) return this.#opening;
    this.close();
    this.#openedWith = wanted;
    this.#opening = this.#open(url, runtime, (this.#loading = new AbortController()));
    return this.#opening;
  }

  /** Stop loading, or let go. */
  close(): void {
    this.#loading.abort();
    this.#opening?.then((generator) => generator.dispose()).catch(() => undefined);
    this.#opening = null;
    this.#generator = null;
  }

  async #open(url: string, runtime: string | null, { signal }: AbortController): Promise<Generator> {
    const { onProgress, onLoad, onFallback } = this.events;
    const told = { onProgress, onFallback };
    try {
      const generator = await openBundle(url, { runtime: runtime ?? undefined, signal, ...told });
      signal.throwIfAborted();
      this.#generator = generator;
      onLoad();
      return generator;
    } catch (error) {
      if (!signal.aborted) this.close();
      throw error;
    }
  }
}
