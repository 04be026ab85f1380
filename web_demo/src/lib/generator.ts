import { GanExportError, messageOf } from './errors';
import { absoluteUrl, fetchData, fetchVerified } from './loading/fetch_verified';
import { type GenerateOptions, prepareInputs } from './inputs';
import { fileOf, filesOfGraph, type Graph, type Graphs, type Manifest, parseManifest } from './manifest';
import { type Pictures, toPixels } from './pixels';
import { Queue } from './queue';
import { chooseRuntime, createRuntime, graphsFor, type RuntimeName } from './runtimes/registry';
import type { Files, NamedGraphs, Runtime } from './runtimes/runtime';
import type { Tensors } from './tensor';

/** Bytes of the bundle that have come, and all that will. */
export interface Progress {
  readonly loaded: number;
  readonly total: number;
}

export type { GenerateOptions };

export interface OpenOptions {
  /** Name of a runtime; the bundle's preferred one when left out. */
  readonly runtime?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

/** A bundle, loaded on a runtime. */
export interface Generator {
  readonly manifest: Manifest;
  readonly runtime: RuntimeName;
  readonly runtimeVersion: string;
  /** Draw pictures. Calls wait for each other; one that fails leaves the others alone. */
  generate(options: GenerateOptions): Promise<Pictures>;
  /** Tensors that the runtime holds now, where it counts them. */
  tensorCount(): number | null;
  /** Give back the runtime's memory, after the run in progress. */
  dispose(): Promise<void>;
}

/** Pixels of one run of a graph: 4 pictures of 256 x 256. More of them would need more memory, not less time. */
const PIXELS_A_RUN = 4 * 256 * 256;

/** Read the manifest of a bundle. */
export async function fetchManifest(url: string | URL, signal?: AbortSignal): Promise<Manifest> {
  const absolute = absoluteUrl(url);
  return parseManifest(await (await fetchData(absolute, signal)).text(), absolute);
}

/**
 * Fetch a bundle, check its files and make it ready to draw.
 *
 * @param url address of its `ganexport.json`
 * @throws GanExportError whose `code` says what was wrong; an abort throws the signal's reason.
 */
export async function openBundle(url: string | URL, options: OpenOptions = {}): Promise<Generator> {
  const absolute = absoluteUrl(url);
  const manifest = await fetchManifest(absolute, options.signal);
  const name = chooseRuntime(manifest, options.runtime);
  const graphs = namedGraphs(manifest, name);

  const starting = createRuntime(name);
  starting.catch(() => undefined); // reported when it is awaited
  const files = await fetchFiles(manifest, absolute, Object.values(graphs).flatMap(filesOfGraph), options);
  const runtime = await starting;
  try {
    await runtime.load(graphs, files);
    options.signal?.throwIfAborted();
  } catch (error) {
    await runtime.dispose();
    options.signal?.throwIfAborted();
    throw new GanExportError('runtime', `${name} could not load ${manifest.name}: ${messageOf(error)}`, { cause: error });
  }
  return new LoadedGenerator(manifest, name, runtime, graphs);
}

class LoadedGenerator implements Generator {
  readonly #runtime: Runtime;
  readonly #graphs: NamedGraphs;
  readonly #queue = new Queue();
  #disposed = false;

  constructor(
    readonly manifest: Manifest,
    readonly runtime: RuntimeName,
    engine: Runtime,
    graphs: NamedGraphs,
  ) {
    this.#runtime = engine;
    this.#graphs = graphs;
  }

  get runtimeVersion(): string {
    return this.#runtime.version;
  }

  generate(options: GenerateOptions): Promise<Pictures> {
    return this.#queue.add(() => this.#generate(options));
  }

  tensorCount(): number | null {
    return this.#runtime.tensorCount();
  }

  dispose(): Promise<void> {
    return this.#queue.add(async () => {
      if (!this.#disposed) await this.#runtime.dispose();
      this.#disposed = true;
    });
  }

  async #generate(options: GenerateOptions): Promise<Pictures> {
    if (this.#disposed) throw new GanExportError('runtime', `${this.manifest.name} was disposed of`);
    const { resolution, image_channels: channels } = this.manifest.spec;
    const inputs = prepareInputs(options, this.manifest, Object.values(this.#graphs));
    const count = options.seeds.length;
    const data = new Uint8ClampedArray(count * resolution * resolution * channels);
    const step = Math.max(1, Math.floor(PIXELS_A_RUN / (resolution * resolution)));
    for (let start = 0; start < count; start += step) {
      options.signal?.throwIfAborted();
      const part = await this.#draw(inputs(start, Math.min(start + step, count)));
      data.set(part.data, start * resolution * resolution * channels);
    }
    return { data, count, width: resolution, height: resolution, channels };
  }

  /** Run the graphs one after the other; each takes what it lists of all that is known by then. */
  async #draw(inputs: Tensors): Promise<Pictures> {
    let known = inputs;
    const graphs = Object.entries(this.#graphs);
    for (const [i, [name, graph]] of graphs.entries()) {
      const later = new Set(['image', ...graphs.slice(i + 1).flatMap(([, next]) => namesOf(next.inputs))]);
      const wanted = namesOf(graph.outputs).filter((output) => later.has(output));
      known = { ...known, ...(await this.#runtime.run(name, pick(known, graph), wanted)) };
    }
    const { image } = known;
    if (image === undefined) throw new GanExportError('manifest', `${this.manifest.name} has no output image`);
    return toPixels(image, this.#runtime.layout, this.manifest.spec.image_range);
  }
}

/** The graphs in the order in which they run. */
function namedGraphs(manifest: Manifest, runtime: RuntimeName): NamedGraphs {
  const { mapping, synthesis }: Graphs = graphsFor(manifest, runtime);
  const stages = synthesis.map((graph, stage) => [`synthesis.${stage}`, graph] as const);
  return Object.fromEntries(mapping ? [['mapping', mapping] as const, ...stages] : stages);
}

function pick(known: Tensors, graph: Graph): Tensors {
  const picked = namesOf(graph.inputs).map((name) => {
    const tensor = known[name];
    if (tensor === undefined) throw new GanExportError('manifest', `${graph.file} takes an unknown input, ${name}`);
    return [name, tensor] as const;
  });
  return Object.fromEntries(picked);
}

function namesOf(tensors: Graph['inputs']): string[] {
  return tensors.map(({ name }) => name);
}

async function fetchFiles(
  manifest: Manifest,
  url: URL,
  paths: readonly string[],
  { signal, onProgress }: OpenOptions,
): Promise<Files> {
  const wanted = [...new Set(paths)].map((path) => ({ path, ...fileOf(manifest, url, path) }));
  const total = wanted.reduce((sum, { bytes }) => sum + bytes, 0);
  let loaded = 0;
  const onBytes = (count: number) => onProgress?.({ loaded: (loaded += count), total });
  const fetched = await Promise.all(
    wanted.map(async (file) => [file.path, await fetchVerified(file.url, file, { signal, onBytes })] as const),
  );
  return new Map(fetched);
}
