import type { Fallback, OpenOptions } from './api';
import { Downloads } from './downloads';
import { type Engine, startEngine } from './engine';
import { GanExportError, messageOf } from './errors';
import type { Manifest } from './manifest';
import { isBroken } from './runtimes/broken';
import type { RuntimeName } from './runtimes/registry';

/** A bundle on the runtimes of this device: the first that starts serves, until it breaks down. */
export class Engines {
  #engine: Engine | null = null;
  #version = '';
  /** Those that gave way since one served. */
  #failures: { readonly name: RuntimeName; readonly reason: string }[] = [];

  /** @param names the runtimes to try, in order; the last is kept whatever happens */
  constructor(
    readonly manifest: Manifest,
    readonly url: URL,
    readonly names: RuntimeName[],
    readonly options: Pick<OpenOptions, 'onProgress' | 'onFallback'>,
  ) {}

  /** The runtime of the moment. */
  get runtime(): RuntimeName {
    return this.names[0]!;
  }

  get version(): string {
    return this.#version;
  }

  /**
   * Do something on the runtime of the moment. Where that breaks down, it is done again on the next one.
   *
   * @throws what the task throws, or what the last runtime said
   */
  async use<T>(task: (engine: Engine) => Promise<T>, signal?: AbortSignal): Promise<T> {
    for (;;) {
      this.#engine ??= await this.#start(signal);
      try {
        return await task(this.#engine);
      } catch (error) {
        if (!isBroken(error)) throw error;
        void this.dispose().catch(() => undefined); // what is broken may not even be given back
        if (!this.#giveWay(error)) throw error; // the next call starts it anew
        signal?.throwIfAborted();
      }
    }
  }

  tensorCount(): number | null {
    return this.#engine?.runtime.tensorCount() ?? null;
  }

  async dispose(): Promise<void> {
    const engine = this.#engine;
    this.#engine = null;
    await engine?.runtime.dispose();
  }

  async #start(signal: AbortSignal | undefined): Promise<Engine> {
    const downloads = new Downloads(this.manifest, this.url, signal, this.options.onProgress);
    try {
      for (;;) {
        try {
          const engine = await startEngine(this.runtime, downloads, signal);
          this.#version = engine.runtime.version;
          this.#tell();
          return engine;
        } catch (error) {
          const isRuntimes = error instanceof GanExportError && (error.code === 'runtime' || isBroken(error));
          if (!isRuntimes || !this.#giveWay(error)) throw error;
        }
      }
    } finally {
      downloads.close();
    }
  }

  /** Go over to the next runtime; false where this is the last one. */
  #giveWay(error: unknown): boolean {
    if (this.names.length === 1) return false;
    this.#failures.push({ name: this.names.shift()!, reason: messageOf(error) });
    return true;
  }

  #tell(): void {
    const failures = this.#failures;
    this.#failures = [];
    failures.forEach(({ name: from, reason }, i) => {
      const fallback: Fallback = { from, to: failures[i + 1]?.name ?? this.runtime, reason };
      this.options.onFallback?.(fallback);
    });
  }
}
