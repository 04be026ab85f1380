import type { Downloads } from './downloads';
import { filesOfGraph, type Graph } from './manifest';
import { createRuntime, graphsFor, type RuntimeName } from './runtimes/registry';
import type { Runtime } from './runtimes/runtime';

/** A graph with the name that its runtime knows it by. */
export interface NamedGraph {
  readonly name: string;
  readonly graph: Graph;
}

/** One runtime that holds the graphs of a bundle. */
export interface Engine {
  readonly name: RuntimeName;
  readonly runtime: Runtime;
  /** null without a w space. */
  readonly mapping: NamedGraph | null;
  /** The stages, in the order in which they run. */
  readonly synthesis: readonly NamedGraph[];
}

/**
 * Start a runtime and load a bundle on it. Its code and the bundle's files are fetched at the same time.
 *
 * @throws GanExportError `runtime` when this browser does not run it; what `Downloads.get` throws; the signal's reason.
 */
export async function startEngine(name: RuntimeName, downloads: Downloads, signal?: AbortSignal): Promise<Engine> {
  const { mapping, synthesis } = graphsFor(downloads.manifest, name);
  const engine = {
    name,
    mapping: mapping && { name: 'mapping', graph: mapping },
    synthesis: synthesis.map((graph, stage) => ({ name: `synthesis.${stage}`, graph })),
  };
  const graphs = [...(engine.mapping ? [engine.mapping] : []), ...engine.synthesis];

  const starting = createRuntime(name);
  try {
    const wanted = graphs.flatMap(({ graph }) => filesOfGraph(graph));
    const [runtime, files] = await Promise.all([starting, downloads.get(wanted)]);
    await runtime.load(Object.fromEntries(graphs.map((named) => [named.name, named.graph])), files);
    signal?.throwIfAborted();
    return { ...engine, runtime };
  } catch (error) {
    starting.then((runtime) => runtime.dispose()).catch(() => undefined); // also one that starts too late
    signal?.throwIfAborted();
    throw error;
  }
}
