import type { Latents } from '../api';
import { GanExportError } from '../errors';
import { zFromSeeds } from '../latents';
import type { SpecSummary } from '../manifest';

/**
 * Latents in z of some seeds. Families with a w space have them too: `latents({ seeds, z: them.tensor })` maps them.
 *
 * @param labels class of each seed; null without classes
 */
export function zLatents(seeds: readonly number[], spec: SpecSummary, labels: readonly number[] | null = null): Latents {
  if (labels !== null && labels.length !== seeds.length) {
    throw new GanExportError('option', `${seeds.length} seeds need as many labels, found ${labels.length}`);
  }
  return { space: 'z', tensor: zFromSeeds(seeds, spec), labels, seeds };
}

/** The latents of some pictures, by index from 0; one may be taken several times. */
export function pickRows(latents: Latents, rows: readonly number[]): Latents {
  const count = countOf(latents);
  const wrong = rows.find((row) => !(Number.isInteger(row) && row >= 0 && row < count));
  if (wrong !== undefined) {
    throw new GanExportError('option', `rows of ${count} latents go from 0 to ${count - 1}, found ${wrong}`);
  }
  const length = lengthOfRow(latents);
  const data = new Float32Array(rows.length * length);
  rows.forEach((row, i) => data.set(latents.tensor.data.subarray(row * length, (row + 1) * length), i * length));
  return {
    space: latents.space,
    tensor: { shape: [rows.length, ...latents.tensor.shape.slice(1)], data },
    labels: latents.labels && rows.map((row) => latents.labels![row]!),
    seeds: rows.map((row) => latents.seeds[row]!),
  };
}

/** The latents of all parts, one after the other. */
export function concatLatents(...parts: readonly Latents[]): Latents {
  const [first] = parts;
  if (first === undefined) throw new GanExportError('option', 'there must be latents to join, found none');
  checkAlike(parts);
  const length = lengthOfRow(first);
  const count = parts.reduce((sum, part) => sum + countOf(part), 0);
  const data = new Float32Array(count * length);
  let position = 0;
  for (const { tensor } of parts) {
    data.set(tensor.data, position);
    position += tensor.data.length;
  }
  return {
    space: first.space,
    tensor: { shape: [count, ...first.tensor.shape.slice(1)], data },
    labels: parts.every(({ labels }) => labels !== null) ? parts.flatMap(({ labels }) => labels!) : null,
    seeds: parts.flatMap(({ seeds }) => seeds),
  };
}

/** How many pictures these latents are of. */
export function countOf({ tensor }: Latents): number {
  return tensor.shape[0]!;
}

/** Length of one z or w. */
export function lengthOfVector({ tensor }: Latents): number {
  return tensor.shape.at(-1)!;
}

/** Numbers of one picture's latents. */
export function lengthOfRow({ tensor }: Latents): number {
  return tensor.shape.slice(1).reduce((product, size) => product * size, 1);
}

/**
 * Latents that go together row by row: those of one picture are repeated.
 *
 * @param lengths of what else goes with them, row by row
 */
export function alignRows(parts: readonly Latents[], ...lengths: readonly number[]): Latents[] {
  checkAlike(parts);
  const counts = [...parts.map(countOf), ...lengths];
  const count = counts.find((one) => one !== 1) ?? 1;
  const wrong = counts.find((one) => one !== count && one !== 1);
  if (wrong !== undefined) throw new GanExportError('option', `${count} and ${wrong} rows do not go together`);
  const repeated = Array.from({ length: count }, () => 0);
  return parts.map((part) => (countOf(part) === count ? part : pickRows(part, repeated)));
}

/** A number for each of `count` rows, from one for all or one each. */
export function perRow(what: string, values: number | readonly number[], count: number): number[] {
  const all = typeof values === 'number' ? [values] : values;
  checkFinite(what, all);
  return Array.from({ length: count }, (_, row) => all[all.length === 1 ? 0 : row]!);
}

/** How many rows a number for all, or numbers one each, speak of. */
export function rowsOf(values: number | readonly number[]): number {
  return typeof values === 'number' ? 1 : values.length;
}

/** Numbers that a caller gave. */
export function checkFinite(what: string, values: readonly number[]): void {
  const wrong = values.find((value) => !Number.isFinite(value));
  if (wrong !== undefined) throw new GanExportError('option', `${what} must be a finite number, found ${wrong}`);
}

/** A range of layers, `[first, last)`, within those that latents in w have. */
export function checkLayers({ space, tensor }: Latents, [first, last]: readonly [number, number]): void {
  if (space !== 'w') throw new GanExportError('option', 'only latents in w have layers; these are in z');
  const layers = tensor.shape[1]!;
  if (!(Number.isInteger(first) && Number.isInteger(last) && first >= 0 && first < last && last <= layers)) {
    const found = `found ${first} up to ${last}`;
    throw new GanExportError('option', `layers go from 0 up to ${layers}, the first below the last; ${found}`);
  }
}

/** The same latents with other numbers. */
export function withData(latents: Latents, data: Float32Array): Latents {
  return { ...latents, tensor: { shape: latents.tensor.shape, data } };
}

function checkAlike(parts: readonly Latents[]): void {
  const kinds = parts.map(({ space, tensor }) => `${space} [${tensor.shape.slice(1).join(', ')}]`);
  const other = kinds.find((kind) => kind !== kinds[0]);
  if (other !== undefined) throw new GanExportError('option', `latents ${kinds[0]} and ${other} do not go together`);
}
