import type { Latents, LoadedDirection } from '../api';
import { GanExportError } from '../errors';
import {
  alignRows,
  checkFinite,
  checkLayers,
  countOf,
  lengthOfRow,
  lengthOfVector,
  perRow,
  pickRows,
  rowsOf,
  withData,
} from './rows';

/** A direction to move in, and how far; one amount for all pictures, or one each. */
export interface Move {
  readonly direction: Pick<LoadedDirection, 'name' | 'space' | 'layers' | 'vector'>;
  readonly amount: number | readonly number[];
}

/**
 * Style mixing: `base` with the ws of `donor` in some layers; class and seed are those of the base.
 *
 * @param layers the first layer, and one past the last
 */
export function mixStyles(base: Latents, donor: Latents, layers: readonly [number, number]): Latents {
  checkLayers(base, layers);
  const [kept, given] = alignRows([base, donor]) as [Latents, Latents];
  const data = kept.tensor.data.slice();
  const size = lengthOfVector(kept);
  const length = lengthOfRow(kept);
  for (let start = 0; start < data.length; start += length) {
    const [from, to] = layers.map((layer) => start + layer * size);
    data.set(given.tensor.data.subarray(from, to), from);
  }
  return withData(kept, data);
}

/** Each picture with one coordinate of its z, or of all its ws, set to each value: picture by picture. */
export function sweepCoordinate(latents: Latents, coordinate: number, values: readonly number[]): Latents {
  const size = lengthOfVector(latents);
  if (!(Number.isInteger(coordinate) && coordinate >= 0 && coordinate < size)) {
    throw new GanExportError('option', `coordinates go from 0 to ${size - 1}, found ${coordinate}`);
  }
  checkFinite('a coordinate', values);
  const rows = Array.from({ length: countOf(latents) }, (_, row) => values.map(() => row)).flat();
  const swept = pickRows(latents, rows);
  const length = lengthOfRow(latents);
  const { data } = swept.tensor;
  for (let i = coordinate; i < data.length; i += size) data[i] = values[Math.floor(i / length) % values.length]!;
  return swept;
}

/** Each seed in every class, seed by seed: what `latents` and `generate` take. */
export function classSweep(seeds: readonly number[], classes: number): { seeds: number[]; label: number[] } {
  const all = Array.from({ length: classes }, (_, index) => index);
  return { seeds: seeds.flatMap((seed) => all.map(() => seed)), label: seeds.flatMap(() => all) };
}

/** Moved along directions; only the layers of a direction change. */
export function moveAlong(latents: Latents, moves: readonly Move[]): Latents {
  moves.forEach(({ direction }) => checkDirection(latents, direction));
  const [start] = alignRows([latents], ...moves.map(({ amount }) => rowsOf(amount))) as [Latents];
  const size = lengthOfVector(start);
  const length = lengthOfRow(start);
  const sums = Float64Array.from(start.tensor.data);
  for (const { direction, amount } of moves) {
    const [first, last] = direction.layers ?? [0, length / size];
    perRow('an amount', amount, countOf(start)).forEach((one, row) => {
      for (let i = first * size; i < last * size; i++) sums[row * length + i]! += one * direction.vector[i % size]!;
    });
  }
  return withData(start, Float32Array.from(sums));
}

/** a − b + c; class and seed are those of a. */
export function arithmetic(a: Latents, b: Latents, c: Latents): Latents {
  const [first, second, third] = alignRows([a, b, c]) as [Latents, Latents, Latents];
  const [minus, plus] = [second.tensor.data, third.tensor.data];
  return withData(first, first.tensor.data.map((value, i) => value - minus[i]! + plus[i]!));
}

function checkDirection(latents: Latents, { name, space, layers, vector }: Move['direction']): void {
  const size = lengthOfVector(latents);
  if (space !== latents.space || vector.length !== size) {
    const found = `${latents.space} of length ${size}`;
    throw new GanExportError('option', `${name} moves ${space} of length ${vector.length}; these latents are ${found}`);
  }
  if (layers !== null) checkLayers(latents, layers);
}
