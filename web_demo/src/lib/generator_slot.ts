import type { Generator, Progress } from './api';
import { openBundle } from './generator';

/** What is told while a generator is opened. */
export interface SlotEvents {
  readonly onProgress?: (progress: Progress) => void;
  readonly onLoad?: (generator: Generator) => void;
}

/** Room for one generator: opened when it is first asked for, and again after it failed. */
export class GeneratorSlot {
  #generator: Promise<Generator> | null = null;
  #openedWith = '';
  #loading = new AbortController();

  constructor(readonly events: SlotEvents) {}

  /** The generator of this bundle on this runtime; another one that was here is given back. */
  open(url: string, runtime: string | undefined): Promise<Generator> {
    const wanted = JSON.stringify([url, runtime]);
    if (this.#generator !== null && this.#openedWith === wanted) return this.#generator;
    this.close();
    this.#loading = new AbortController();
    const { onProgress, onLoad } = this.events;
    const opening = openBundle(url, { runtime, signal: this.#loading.signal, onProgress });
    this.#generator = opening;
    this.#openedWith = wanted;
    const isCurrent = () => this.#generator === opening;
    opening.then(
      (generator) => isCurrent() && onLoad?.(generator),
      () => isCurrent() && this.close(),
    );
    return opening;
  }

  /** Stop loading, or give back what was loaded. */
  close(): void {
    this.#loading.abort();
    this.#generator?.then((generator) => generator.dispose()).catch(() => undefined);
    this.#generator = null;
  }
}
