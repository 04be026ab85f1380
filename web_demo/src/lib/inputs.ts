import type { DrawOptions, Label, LatentOptions, Latents } from './api';
import { GanExportError } from './errors';
import { labelIndex, noiseFromSeeds, oneHot, truncationPsi, zFromSeeds } from './latents';
import type { Graph, Manifest } from './manifest';
import { rowsOf, type Tensor, type Tensors } from './tensor';

/** Makes the inputs of the pictures from one index to another. */
export type InputRows = (start: number, end: number) => Tensors;

/** Inputs of the mapping, with the classes and the z that they are made of. */
export interface LatentInputs {
  /** [N, z_dim] */
  readonly z: Tensor;
  readonly labels: readonly number[] | null;
  readonly rows: InputRows;
}

/** Check how latents are asked for, and make the inputs of the mapping. */
export function latentInputs(options: LatentOptions, manifest: Manifest): LatentInputs {
  const { spec } = manifest;
  const { seeds } = options;
  if (!Array.isArray(seeds)) throw new GanExportError('option', `seeds is a list of seeds, such as [1, 2]; found ${String(seeds)}`);
  const labels = labelsOf(options.label, seeds.length, manifest);
  const psi = psiOf(options, manifest);
  const cutoff = cutoffOf(options.cutoff);
  if (options.z !== undefined) requireShape('z', options.z, [seeds.length, spec.z_dim]);
  const z = options.z ?? zFromSeeds(seeds, spec);
  const rows: InputRows = (start, end) => ({
    z: rowsOf(z, start, end), // [N, z_dim]
    c: oneHot(labels.slice(start, end), spec.c_dim), // [N, c_dim]
    truncation_psi: truncationPsi(end - start, psi, cutoff, spec.num_ws), // [N, num_ws]
  });
  return { z, labels: spec.c_dim > 0 ? labels : null, rows };
}

/**
 * Check latents and how to draw them, and make the inputs of the synthesis.
 *
 * @param graphs those that will run, whose inputs say what noise they take
 */
export function drawInputs(
  latents: Latents,
  options: DrawOptions,
  manifest: Manifest,
  graphs: readonly Graph[],
): InputRows {
  const { spec } = manifest;
  const { seeds, tensor } = latents;
  const inputs = graphs.flatMap((graph) => graph.inputs);
  const needsLabels = inputs.some(({ name }) => name === 'c');
  requireLatents(latents, needsLabels, manifest);
  const noise = noiseOf(options.noise, manifest);
  const noiseInputs = inputs.filter(({ name }) => name === 'noise' || name.startsWith('noise.'));
  const further = furtherInputs(options.inputs, manifest, inputs);
  return (start, end) => ({
    [latents.space === 'w' ? 'ws' : 'z']: rowsOf(tensor, start, end), // [N, num_ws, w_dim] or [N, z_dim]
    ...(needsLabels && { c: oneHot(latents.labels!.slice(start, end), spec.c_dim) }), // [N, c_dim]
    noise_scale: { shape: [end - start], data: new Float32Array(end - start).fill(noise === 'const' ? 1 : 0) },
    ...noiseFromSeeds(seeds.slice(start, end), spec, noiseInputs, noise === 'random'),
    ...further(end - start),
  });
}

function requireLatents({ space, tensor, labels, seeds }: Latents, needsLabels: boolean, manifest: Manifest): void {
  const { name, spec } = manifest;
  const own = spec.num_ws > 0 ? 'w' : 'z';
  if (space !== own) {
    const how = own === 'w' ? '; latents({ z, … }) takes them there' : '';
    throw new GanExportError('option', `${name} draws from ${own}; these latents are in ${space}${how}`);
  }
  const row = own === 'w' ? [spec.num_ws, spec.w_dim] : [spec.z_dim];
  requireShape('latents', tensor, [seeds.length, ...row]);
  if (needsLabels && labels?.length !== seeds.length) {
    throw new GanExportError('option', `${name} needs a class for each of ${seeds.length} latents`);
  }
}

function requireShape(what: string, { shape, data }: Tensor, expected: readonly number[]): void {
  const length = expected.reduce((product, size) => product * size, 1);
  if (shape.length !== expected.length || shape.some((size, axis) => size !== expected[axis]) || data.length !== length) {
    throw new GanExportError('option', `${what} must be [${expected.join(', ')}], one row a seed; found [${shape.join(', ')}]`);
  }
}

function labelsOf(label: LatentOptions['label'], count: number, manifest: Manifest): number[] {
  const { name, spec } = manifest;
  if (label === undefined && spec.c_dim === 0) return [];
  if (label === undefined) {
    throw new GanExportError('option', `${name} has ${spec.c_dim} classes: say which, for example label 0`);
  }
  if (!isList(label)) return Array.from({ length: count }, () => labelIndex(label, manifest));
  if (label.length !== count) {
    throw new GanExportError('option', `${count} seeds need as many labels, found ${label.length}`);
  }
  return label.map((one) => labelIndex(one, manifest));
}

function isList(label: Label | readonly Label[]): label is readonly Label[] {
  return typeof label === 'object';
}

function psiOf({ psi }: LatentOptions, { name, spec, defaults }: Manifest): number {
  if (psi === undefined) return defaults.truncation_psi;
  if (!Number.isFinite(psi)) throw new GanExportError('option', `psi must be a number, found ${psi}`);
  if (spec.num_ws === 0 && psi !== 1) {
    throw new GanExportError('option', `psi ${psi} has no meaning: ${name} has no w space to truncate`);
  }
  return psi;
}

function cutoffOf(cutoff: number | null = null): number | null {
  if (cutoff !== null && !(Number.isInteger(cutoff) && cutoff >= 0)) {
    throw new GanExportError('option', `cutoff must be a whole number of layers, found ${cutoff}`);
  }
  return cutoff;
}

function noiseOf(noise: DrawOptions['noise'], { name, defaults }: Manifest): 'const' | 'random' | 'none' {
  const made = defaults.noise_mode === 'input' ? 'random' : defaults.noise_mode;
  if (noise !== undefined && noise !== 'none' && noise !== made) {
    throw new GanExportError('option', `noise ${noise} has no meaning: ${name} was made for noise ${made}`);
  }
  return noise ?? made;
}

function furtherInputs(
  given: DrawOptions['inputs'] = {},
  { name, defaults }: Manifest,
  inputs: Graph['inputs'],
): (count: number) => Tensors {
  const known = Object.entries(defaults.inputs ?? {}); // older bundles have none
  const names = known.map(([input]) => input);
  const unknown = Object.keys(given).filter((input) => !names.includes(input));
  if (unknown.length > 0) {
    throw new GanExportError('option', `${name} has no input ${unknown[0]}; it has ${names.join(', ') || 'none'}`);
  }
  const values = known.map(([input, usual]) => {
    const value = given[input] ?? usual;
    if (value.length !== usual.length || !value.every(Number.isFinite)) {
      throw new GanExportError('option', `input ${input} takes ${usual.length} numbers, found ${value.length}`);
    }
    const shape = inputs.find((tensor) => tensor.name === input)?.shape.slice(1) as number[] | undefined;
    return { input, value, shape: shape ?? [value.length] };
  });
  return (count) =>
    Object.fromEntries(
      values.map(({ input, value, shape }) => {
        const data = Float32Array.from({ length: count * value.length }, (_, i) => value[i % value.length]!);
        return [input, { shape: [count, ...shape], data }];
      }),
    );
}
