import type {
  DrawOptions,
  Encoded,
  EncodeOptions,
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
import { encodePictures } from './encode';
import type { Engine } from './engine';
import { Engines } from './engines';
import { GanExportError } from './errors';
import { fitPictures, type Picture } from './fit';
import { absoluteUrl } from './loading';
import { encoderOf, type Manifest } from './manifest';
import { fetchManifest } from './fetch_manifest';
import type { Pictures } from './pixels';
import { Queue } from './queue';
import { candidates, type RuntimeName } from './runtimes/registry';

/** Fetch a bundle, check its files and make it ready to draw, in the thread of the caller. */
export async function openInPlace(url: string | URL, options: OpenOptions = {}): Promise<Generator> {
  const { signal } = options;
  const absolute = absoluteUrl(url);
  const manifest = await fetchManifest(absolute, signal);
  const names = await candidates(manifest, options.runtime);
  const tried = options.fallback === false ? names.slice(0, 1) : names;
  const engines = new Engines(manifest, absolute, tried, options);
  await engines.use(async () => undefined, signal);
  return new LocalGenerator(manifest, absolute, engines);
}

class LocalGenerator implements Generator {
  readonly #queue = new Queue();
  readonly #engines: Engines;
  #directions: Promise<LoadedDirection[]> | null = null;
  #disposed = false;

  constructor(
    readonly manifest: Manifest,
    readonly url: URL,
    engines: Engines,
  ) {
    this.#engines = engines;
  }

  get runtime(): RuntimeName {
    return this.#engines.runtime;
  }

  get runtimeVersion(): string {
    return this.#engines.version;
  }

  latents(options: LatentOptions): Promise<Latents> {
    return this.#add(() => this.#latents(options), options.signal);
  }

  draw(latents: Latents, options: DrawOptions = {}): Promise<Pictures> {
    return this.#add(() => this.#draw(latents, options), options.signal);
  }

  generate(options: GenerateOptions): Promise<Pictures> {
    return this.#add(async () => this.#draw(await this.#latents(options), options), options.signal);
  }

  grow(latents: Latents, options: DrawOptions = {}): Promise<Pictures[]> {
    const last = options.resolution ?? this.manifest.spec.resolution;
    const sizes = [...sizesOf(this.manifest).filter((size) => size < last), last];
    return this.#add(() => this.#drawSizes(latents, sizes, options), options.signal);
  }

  async encode(pictures: readonly Picture[], options: EncodeOptions = {}): Promise<Encoded> {
    encoderOf(this.manifest);
    const { resolution, image_channels: channels } = this.manifest.spec;
    const fitted = fitPictures(pictures, resolution, channels);
    return this.#add(() => this.#encode(fitted, options.signal), options.signal);
  }

  async directions(): Promise<readonly LoadedDirection[]> {
    this.#directions ??= loadDirections(this.manifest, this.url);
    this.#directions.catch(() => (this.#directions = null)); // the next call tries again
    return this.#directions;
  }

  async tensorCount(): Promise<number | null> {
    return this.#engines.tensorCount();
  }

  dispose(): Promise<void> {
    this.#disposed = true;
    return this.#queue.add(() => this.#engines.dispose());
  }

  #add<T>(task: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const disposed = this.#disposed; // what was asked for before that is still drawn
    return this.#queue.add(async () => {
      signal?.throwIfAborted();
      if (disposed) throw new GanExportError('runtime', `${this.manifest.name} was disposed of`);
      return task();
    });
  }

  #latents(options: LatentOptions): Promise<Latents> {
    return this.#engines.use((engine) => makeLatents(engine, this.manifest, options), options.signal);
  }

  async #encode(pictures: Pictures, signal: AbortSignal | undefined): Promise<Encoded> {
    const downloads = new Downloads(this.manifest, this.url, signal, this.#engines.options.onProgress);
    try {
      return await this.#engines.use((engine) => encodePictures(engine, downloads, pictures, signal), signal);
    } finally {
      downloads.close();
    }
  }

  async #draw(latents: Latents, options: DrawOptions): Promise<Pictures> {
    const [pictures] = await this.#drawSizes(latents, [options.resolution ?? this.manifest.spec.resolution], options);
    return pictures!;
  }

  #drawSizes(latents: Latents, sizes: readonly number[], options: DrawOptions): Promise<Pictures[]> {
    const draw = (engine: Engine) => drawLatents(engine, this.manifest, latents, sizes, options);
    return this.#engines.use(draw, options.signal);
  }
}
