import type { Label } from './api';
import { GanExportError } from './errors';
import type { GraphTensor, Manifest, SpecSummary } from './manifest';
import { RandomState } from './random_state';
import type { Tensor, Tensors } from './tensor';

/** `z` of some seeds, one random stream a seed: [N, z_dim]. */
export function zFromSeeds(seeds: readonly number[], spec: SpecSummary): Tensor {
  const data = new Float32Array(seeds.length * spec.z_dim);
  seeds.forEach((seed, row) => data.set(drawZ(new RandomState(seed), spec), row * spec.z_dim));
  return { shape: [seeds.length, spec.z_dim], data };
}

/**
 * Noise for graphs that take it as inputs: each seed's random stream goes on after its z, input by input.
 *
 * @param inputs those that take noise, in layer order
 * @param drawn whether to draw it; else it is zero
 */
export function noiseFromSeeds(
  seeds: readonly number[],
  spec: SpecSummary,
  inputs: readonly GraphTensor[],
  drawn: boolean,
): Tensors {
  const noise = inputs.map(({ name, shape }) => {
    const sizes = shape.slice(1) as number[];
    const length = sizes.reduce((product, size) => product * size, 1);
    return { name, length, tensor: { shape: [seeds.length, ...sizes], data: new Float32Array(seeds.length * length) } };
  });
  if (drawn && noise.length > 0) {
    seeds.forEach((seed, row) => {
      const random = new RandomState(seed);
      drawZ(random, spec);
      for (const { length, tensor } of noise) {
        const uniform = spec.noise_distribution === 'uniform';
        tensor.data.set(uniform ? random.uniform(0, 1, length) : random.randn(length), row * length);
      }
    });
  }
  return Object.fromEntries(noise.map(({ name, tensor }) => [name, tensor]));
}

function drawZ(random: RandomState, spec: SpecSummary): Float32Array {
  return spec.z_distribution === 'uniform' ? random.uniform(-1, 1, spec.z_dim) : random.randn(spec.z_dim);
}

/** One-hot `c` of some classes: [N, c_dim]. */
export function oneHot(labels: readonly number[], classes: number): Tensor {
  const data = new Float32Array(labels.length * classes);
  labels.forEach((label, row) => {
    data[row * classes + label] = 1;
  });
  return { shape: [labels.length, classes], data };
}

/** `truncation_psi`: psi for the first `cutoff` ws, or for all of them, and 1 after: [N, num_ws]. */
export function truncationPsi(count: number, psi: number, cutoff: number | null, layers: number): Tensor {
  const row = Float32Array.from({ length: layers }, (_, layer) => (cutoff === null || layer < cutoff ? psi : 1));
  const data = new Float32Array(count * layers);
  for (let i = 0; i < count; i++) data.set(row, i * layers);
  return { shape: [count, layers], data };
}

/**
 * Index of a class that is given by its index or its name. A name wins over an index, should a class be called "3".
 *
 * @throws GanExportError `option` when there is no such class; the message lists those that there are.
 */
export function labelIndex(label: Label, manifest: Manifest): number {
  const classes = manifest.spec.c_dim;
  if (classes === 0) {
    throw new GanExportError('option', `label ${label} has no meaning: ${manifest.name} draws without classes`);
  }
  const named = typeof label === 'string' ? (manifest.labels?.indexOf(label) ?? -1) : -1;
  const index = named >= 0 ? named : label === '' ? NaN : Number(label);
  if (!Number.isInteger(index) || index < 0 || index >= classes) {
    const known = manifest.labels ? `; its classes are ${manifest.labels.slice(0, 20).join(', ')}` : '';
    throw new GanExportError('option', `no class ${label}: ${manifest.name} knows 0 to ${classes - 1}${known}`);
  }
  return index;
}
