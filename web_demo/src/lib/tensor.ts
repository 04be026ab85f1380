/** Numbers with a shape, in row-major order. */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Tensors by the names that a graph gives its inputs or outputs. */
export type Tensors = Readonly<Record<string, Tensor>>;

/** A copy of the rows from one index to another: [end − start, …]. */
export function rowsOf({ shape, data }: Tensor, start: number, end: number): Tensor {
  const row = shape.slice(1).reduce((product, size) => product * size, 1);
  return { shape: [end - start, ...shape.slice(1)], data: data.slice(start * row, end * row) };
}
