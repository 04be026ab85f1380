import type { Fallback } from '../api';
import type { Pictures } from '../pixels';
import type { Settings } from './attributes';

/** Detail of `generate`: what was drawn. */
export interface GenerateDetail extends Readonly<Settings> {
  readonly pictures: Pictures;
  /** What `mix()` took from another seed; null for a picture that is drawn as the attributes say. */
  readonly mixed: { readonly seed: number; readonly layers: readonly number[] } | null;
}

/** Detail of `preview`: a smaller picture on the way. */
export interface PreviewDetail {
  readonly pictures: Pictures;
}

/** Detail of `frame`: one picture of a walk. */
export interface FrameDetail {
  readonly index: number;
  readonly count: number;
  readonly pictures: Pictures;
}

/** The events of `<gan-generator>`. None of them bubbles. */
export interface GanGeneratorEventMap extends HTMLElementEventMap {
  /** Bytes of the bundle that have come. */
  progress: ProgressEvent;
  /** The bundle is ready to draw. */
  load: Event;
  /** A smaller picture on the way to the full one. */
  preview: CustomEvent<PreviewDetail>;
  /** A picture was drawn. */
  generate: CustomEvent<GenerateDetail>;
  /** A picture of a walk was drawn. */
  frame: CustomEvent<FrameDetail>;
  /** A runtime broke down, and another took over. */
  fallback: CustomEvent<Fallback>;
  /** It failed; the next change tries again. */
  error: ErrorEvent;
}
