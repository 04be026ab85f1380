import { GanExportError } from './errors';
import type { Manifest, SpecSummary } from './manifest';
import { RandomState } from './random_state';
import type { Tensor } from './tensor';

/** A class by its index or its name. */
export type Label = number | string;

/** `z` of some seeds, one random stream a seed: [N, z_dim]. */
export function zFromSeeds(seeds: readonly number[], spec: SpecSummary): Tensor {
  const data = new Float32Array(seeds.length * spec.z_dim);
  seeds.forEach((seed, row) => {
    const random = new RandomState(seed);
    const z = spec.z_distribution === 'uniform' ? random.uniform(-1, 1, spec.z_dim) : random.randn(spec.z_dim);
    data.set(z, row * spec.z_dim);
  });
  return { shape: [seeds.length, spec.z_dim], data };
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
