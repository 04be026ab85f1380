import type { Graph, TargetName } from '../manifest';
import type { Layout } from '../pixels';
import type { Queue } from '../queue';
import type { Tensors } from '../tensor';

/** Graphs by the names that `run` takes: `mapping`, `synthesis.0`, … */
export type NamedGraphs = Readonly<Record<string, Graph>>;

/** Checked bytes of the bundle's files, by their paths in it. */
export type Files = ReadonlyMap<string, Uint8Array>;

/**
 * One runtime that holds the graphs of one bundle. Calls wait for each other.
 *
 * Its errors are GanExportErrors. One with the code `broken` ends it: later calls throw that error again.
 */
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

/** What a runtime's own file offers. It throws whatever it likes and may never answer: `guarded.ts` sees to that. */
export interface BareRuntime extends Runtime {
  /** Calls of all runtimes with this queue are made one at a time. */
  readonly queue: Queue;

  /** Get the device and the runtime's own files ready. */
  start(): Promise<void>;

  /** Let go of what broke down, without waiting for it, so that a new start has nothing to do with it. */
  abandon(): void;
}

/** Makes a bare runtime, which calls `onLost` with the reason when its device is gone. */
export type CreateBare = (onLost: (reason: string) => void) => BareRuntime;
