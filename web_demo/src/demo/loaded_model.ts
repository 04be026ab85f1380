import type { Fallback, Generator } from '../lib/api';
import { openBundle } from '../lib/generator';
import type { Status } from './status';
import { runtimeTitle } from './titles';

/** The one model that the page holds in memory. */
export class LoadedModel {
  readonly #status: Status;
  #opened: { readonly wanted: string; readonly generator: Promise<Generator>; readonly abort: AbortController } | null = null;

  constructor(status: Status) {
    this.#status = status;
  }

  /** The model of this address on this runtime; another one that was here is given back. What failed is tried anew. */
  generator(url: string, runtime: string | undefined): Promise<Generator> {
    const wanted = JSON.stringify([url, runtime]);
    if (this.#opened?.wanted === wanted) return this.#opened.generator;
    this.close();
    this.#status.busy('Loading the model');
    this.#status.notice('');
    const abort = new AbortController();
    const generator = openBundle(url, {
      runtime,
      signal: abort.signal,
      onProgress: (progress) => this.#status.load(progress),
      onFallback: (fallback) => this.#status.notice(fallbackInWords(fallback)),
    });
    const opened = { wanted, generator, abort };
    this.#opened = opened;
    generator.then(
      () => this.#opened === opened && this.#status.settleLoad('Drawing'),
      () => this.#opened === opened && this.close(),
    );
    return generator;
  }

  /** Stop loading, or give back what was loaded. */
  close(): void {
    this.#opened?.abort.abort();
    this.#opened?.generator.then((generator) => generator.dispose()).catch(() => undefined);
    this.#opened = null;
  }
}

function fallbackInWords({ from, to, reason }: Fallback): string {
  return `${runtimeTitle(from)} gave up, so ${runtimeTitle(to)} draws now (${reason}).`;
}
