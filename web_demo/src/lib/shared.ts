import { orAborted } from './abort';
import type { Fallback, Generator, OpenOptions, Progress } from './api';
import { openBundle } from './generator';
import { absoluteUrl } from './loading';

export interface ShareOptions extends OpenOptions {
  /** Milliseconds for which a generator is kept after its last user has gone, so that what moves does not reload. */
  readonly linger?: number | undefined;
}

/** A generator that others may use, too. */
export interface Share {
  /** Not to be disposed of. */
  readonly generator: Generator;
  /** Say that it is not used any more; the last one out gives it back. */
  release(): void;
}

const LINGER_MS = 1000;

const bundles = new Map<string, SharedBundle>();

/**
 * The generator of a bundle, loaded once for all who ask for the same address and options.
 *
 * An abort takes only this caller off the load; `onProgress` and `onFallback` are told until the release.
 */
export async function shareBundle(url: string | URL, options: ShareOptions = {}): Promise<Share> {
  options.signal?.throwIfAborted();
  const { href } = absoluteUrl(url);
  const { runtime, fallback, worker, linger = LINGER_MS } = options;
  const key = JSON.stringify([href, runtime || null, fallback !== false, worker !== false]);
  let bundle = bundles.get(key);
  if (bundle === undefined) {
    const forget = () => bundles.get(key) === bundle && bundles.delete(key);
    bundle = new SharedBundle(href, { runtime, fallback, worker }, forget);
    bundles.set(key, bundle);
  }
  return bundle.join(options, linger);
}

/** One generator and its users. */
class SharedBundle {
  readonly #users = new Set<ShareOptions>();
  readonly #loading = new AbortController();
  readonly #generator: Promise<Generator>;
  #progress: Progress | null = null;
  #leaving: ReturnType<typeof setTimeout> | undefined;

  constructor(
    url: string,
    options: OpenOptions,
    readonly forget: () => void,
  ) {
    this.#generator = openBundle(url, {
      ...options,
      signal: this.#loading.signal,
      onProgress: (progress) => this.#tellProgress(progress),
      onFallback: (fallback) => this.#tellFallback(fallback),
    });
    this.#generator.catch(forget); // who comes next tries anew
  }

  async join(options: ShareOptions, linger: number): Promise<Share> {
    const user = { ...options }; // an object of its own, should the same options join twice
    const release = () => this.#leave(user, linger);
    clearTimeout(this.#leaving);
    this.#users.add(user);
    if (this.#progress !== null) options.onProgress?.(this.#progress);
    try {
      return { generator: await orAborted(this.#generator, options.signal), release };
    } catch (error) {
      release();
      throw error;
    }
  }

  #leave(user: ShareOptions, linger: number): void {
    if (this.#users.delete(user) && this.#users.size === 0) this.#leaving = setTimeout(() => this.#close(), linger);
  }

  /** Stop loading, or give back what was loaded. */
  #close(): void {
    this.forget();
    this.#loading.abort();
    this.#generator.then((generator) => generator.dispose()).catch(() => undefined);
  }

  #tellProgress(progress: Progress): void {
    this.#progress = progress;
    for (const user of this.#users) user.onProgress?.(progress);
  }

  #tellFallback(fallback: Fallback): void {
    for (const user of this.#users) user.onFallback?.(fallback);
  }
}
