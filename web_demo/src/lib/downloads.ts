import type { Progress } from './api';
import { fetchVerified } from './loading';
import { fileOf, type Manifest } from './manifest';
import type { Files } from './runtimes/runtime';

/** The files of a bundle that were asked for: each is fetched once, though several runtimes may be tried with it. */
export class Downloads {
  readonly #files = new Map<string, Promise<Uint8Array>>();
  readonly #stopping = new AbortController();
  #loaded = 0;
  #total = 0;

  constructor(
    readonly manifest: Manifest,
    readonly url: URL,
    signal?: AbortSignal,
    readonly onProgress?: (progress: Progress) => void,
  ) {
    signal?.throwIfAborted();
    const stop = () => this.#stopping.abort(signal?.reason);
    signal?.addEventListener('abort', stop, { signal: this.#stopping.signal });
  }

  /** Fetch and check files of the bundle. */
  async get(paths: readonly string[]): Promise<Files> {
    const wanted = [...new Set(paths)];
    const added = wanted.filter((path) => !this.#files.has(path));
    const entries = added.map((path) => ({ path, file: fileOf(this.manifest, this.url, path) }));
    this.#total += entries.reduce((sum, { file }) => sum + file.bytes, 0);
    const options = { signal: this.#stopping.signal, onBytes: (count: number) => this.#count(count) };
    for (const { path, file } of entries) {
      const fetched = fetchVerified(file.url, file, options);
      fetched.catch(() => undefined); // reported where it is awaited
      this.#files.set(path, fetched);
    }
    return new Map(await Promise.all(wanted.map(async (path) => [path, await this.#files.get(path)!] as const)));
  }

  /** Stop what is still on its way, and forget what came. */
  close(): void {
    this.#stopping.abort();
    this.#files.clear();
  }

  #count(bytes: number): void {
    this.#loaded += bytes;
    this.onProgress?.({ loaded: this.#loaded, total: this.#total });
  }
}
