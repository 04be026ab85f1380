import type { Graph, TargetName } from '../manifest';
import type { Layout } from '../pixels';
import type { Tensors } from '../tensor';

/** Graphs by the names that `run` takes: `mapping`, `synthesis.0`, … */
export type NamedGraphs = Readonly<Record<string, Graph>>;

/** Checked bytes of the bundle's files, by their paths in it. */
export type Files = ReadonlyMap<string, Uint8Array>;

/** One runtime that holds the graphs of one bundle. Only one call of `run` at a time. */
export interface Runtime {
  /** Which artefacts it runs. */
  readonly target: TargetName;
  /** Layout of the images that it gives. */
  readonly layout: Layout;
  readonly version: string;

  /** Make the graphs ready to run. */
  load(graphs: NamedGraphs, files: Files): Promise<void>;

  /** Run one graph: its inputs by name, and the names of the outputs that are wanted. */
  run(graph: string, inputs: Tensors, outputs: readonly string[]): Promise<Tensors>;

  /** Tensors that are alive now, where the runtime counts them; it must return to its start after each run. */
  tensorCount(): number | null;

  /** Give everything back. */
  dispose(): Promise<void>;
}
