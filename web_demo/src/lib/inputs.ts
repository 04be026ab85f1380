import { GanExportError } from './errors';
import { type Label, labelIndex, noiseFromSeeds, oneHot, truncationPsi, zFromSeeds } from './latents';
import type { Graph, Manifest } from './manifest';
import type { Tensors } from './tensor';

export interface GenerateOptions {
  /** One picture a seed. */
  readonly seeds: readonly number[];
  /** One class for all, or one a seed, by index or name; needed when there are classes. */
  readonly label?: Label | readonly Label[] | undefined;
  /** Truncation; the bundle's default when left out. */
  readonly psi?: number | undefined;
  /** How many of the first ws are truncated; all when left out. */
  readonly cutoff?: number | null | undefined;
  /** Stored, drawn from each seed, or none: the bundle was made for one of the first two, and for `none`. */
  readonly noise?: 'const' | 'random' | 'none' | undefined;
  /** Further inputs by name, such as StyleGAN3's `transform`: values for one picture, the same for all. */
  readonly inputs?: Readonly<Record<string, readonly number[]>> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Check the options; the result makes the inputs of the pictures from one index to another.
 *
 * @param graphs those that will run, whose inputs say what noise they take
 */
export function prepareInputs(
  options: GenerateOptions,
  manifest: Manifest,
  graphs: readonly Graph[],
): (start: number, end: number) => Tensors {
  const { spec } = manifest;
  const { seeds } = options;
  const labels = labelsOf(options.label, seeds.length, manifest);
  const psi = psiOf(options, manifest);
  const cutoff = cutoffOf(options.cutoff);
  const inputs = graphs.flatMap((graph) => graph.inputs);
  const noise = noiseOf(options.noise, manifest);
  const noiseInputs = inputs.filter(({ name }) => name === 'noise' || name.startsWith('noise.'));
  const further = furtherInputs(options.inputs, manifest, inputs);
  return (start, end) => ({
    z: zFromSeeds(seeds.slice(start, end), spec), // [N, z_dim]
    c: oneHot(labels.slice(start, end), spec.c_dim), // [N, c_dim]
    truncation_psi: truncationPsi(end - start, psi, cutoff, spec.num_ws), // [N, num_ws]
    noise_scale: { shape: [end - start], data: new Float32Array(end - start).fill(noise === 'const' ? 1 : 0) },
    ...noiseFromSeeds(seeds.slice(start, end), spec, noiseInputs, noise === 'random'),
    ...further(end - start),
  });
}

function labelsOf(label: GenerateOptions['label'], count: number, manifest: Manifest): number[] {
  const { name, spec } = manifest;
  if (label === undefined && spec.c_dim === 0) return [];
  if (label === undefined) {
    throw new GanExportError('option', `${name} has ${spec.c_dim} classes: say which, for example label 0`);
  }
  if (typeof label === 'string' || typeof label === 'number') {
    return Array.from({ length: count }, () => labelIndex(label, manifest));
  }
  if (label.length !== count) {
    throw new GanExportError('option', `${count} seeds need as many labels, found ${label.length}`);
  }
  return label.map((one) => labelIndex(one, manifest));
}

function psiOf({ psi }: GenerateOptions, { name, spec, defaults }: Manifest): number {
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

function noiseOf(noise: GenerateOptions['noise'], { name, defaults }: Manifest): 'const' | 'random' | 'none' {
  const made = defaults.noise_mode === 'input' ? 'random' : defaults.noise_mode;
  if (noise !== undefined && noise !== 'none' && noise !== made) {
    throw new GanExportError('option', `noise ${noise} has no meaning: ${name} was made for noise ${made}`);
  }
  return noise ?? made;
}

function furtherInputs(
  given: GenerateOptions['inputs'] = {},
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
