/** Numbers with a shape, in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors by the names that a graph gives its inputs or outputs. */
export type Tensors = Readonly<Record<string, Tensor>>;
