import type {
  DrawOptions,
  GenerateOptions,
  Generator,
  LatentOptions,
  Latents,
  LoadedDirection,
  OpenOptions,
} from './api';
import { loadDirections } from './directions';
import { Downloads } from './downloads';
import { drawLatents, makeLatents, sizesOf } from './draw';
import { type Engine, startEngine } from './engine';
import { GanExportError } from './errors';
import { absoluteUrl } from './loading/fetch_verified';
import type { Manifest } from './manifest';
import { fetchManifest } from './fetch_manifest';
import type { Pictures } from './pixels';
import { Queue } from './queue';
import { chooseRuntime, type RuntimeName } from './runtimes/registry';

/** Fetch a bundle, check its files and make it ready to draw, in the thread of the caller. */
export async function openInPlace(url: string | URL, options: OpenOptions = {}): Promise<Generator> {
  const { signal, onProgress } = options;
  const absolute = absoluteUrl(url);
  const manifest = await fetchManifest(absolute, signal);
  const name = chooseRuntime(manifest, options.runtime);
  const engine = await startEngine(name, new Downloads(manifest, absolute, signal, onProgress), signal);
  return new LocalGenerator(manifest, absolute, engine);
}

class LocalGenerator implements Generator {
  readonly #queue = new Queue();
  #directions: Promise<LoadedDirection[]> | null = null;
  #disposed = false;

  constructor(
    readonly manifest: Manifest,
    readonly url: URL,
    readonly engine: Engine,
  ) {}

  get runtime(): RuntimeName {
    return this.engine.name;
  }

  get runtimeVersion(): string {
    return this.engine.runtime.version;
  }

  latents(options: LatentOptions): Promise<Latents> {
    return this.#run(() => this.#latents(options), options.signal);
  }

  draw(latents: Latents, options: DrawOptions = {}): Promise<Pictures> {
    return this.#run(() => this.#draw(latents, options), options.signal);
  }

  generate(options: GenerateOptions): Promise<Pictures> {
    return this.#run(async () => this.#draw(await this.#latents(options), options), options.signal);
  }

  grow(latents: Latents, options: DrawOptions = {}): Promise<Pictures[]> {
    const last = options.resolution ?? this.manifest.spec.resolution;
    const sizes = [...sizesOf(this.manifest).filter((size) => size < last), last];
    return this.#run(() => this.#drawSizes(latents, sizes, options), options.signal);
  }

  async directions(): Promise<readonly LoadedDirection[]> {
    this.#directions ??= loadDirections(this.manifest, this.url);
    this.#directions.catch(() => (this.#directions = null)); // the next call tries again
    return this.#directions;
  }

  async tensorCount(): Promise<number | null> {
    return this.engine.runtime.tensorCount();
  }

  dispose(): Promise<void> {
    return this.#queue.add(async () => {
      if (!this.#disposed) await this.engine.runtime.dispose();
      this.#disposed = true;
    });
  }

  #run<T>(task: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    return this.#queue.add(async () => {
      signal?.throwIfAborted();
      if (this.#disposed) throw new GanExportError('runtime', `${this.manifest.name} was disposed of`);
      return task();
    });
  }

  #latents(options: LatentOptions): Promise<Latents> {
    return makeLatents(this.engine, this.manifest, options);
  }

  async #draw(latents: Latents, options: DrawOptions): Promise<Pictures> {
    const [pictures] = await this.#drawSizes(latents, [options.resolution ?? this.manifest.spec.resolution], options);
    return pictures!;
  }

  #drawSizes(latents: Latents, sizes: readonly number[], options: DrawOptions): Promise<Pictures[]> {
    return drawLatents(this.engine, this.manifest, latents, sizes, options);
  }
}
