import type { Manifest, SpecSummary } from '../src/lib/manifest';

/** A small manifest with classes and a w space, changed as asked. */
export function manifestOf(spec: Partial<SpecSummary> = {}, rest: Partial<Manifest> = {}): Manifest {
  return {
    schema_version: 1,
    name: 'tiny',
    spec: {
      architecture: 'stylegan2',
      resolution: 4,
      image_channels: 1,
      z_dim: 5,
      c_dim: 3,
      w_dim: 2,
      num_ws: 4,
      z_distribution: 'normal',
      noise_distribution: 'normal',
      image_range: [-1, 1],
      ...spec,
    },
    labels: ['cat', 'dog', '0'],
    provenance: {
      source_format: 'ganexport',
      source_sha256: null,
      weights_sha256: '0'.repeat(64),
      importer: 'test',
      licence: 'none',
      training: null,
    },
    defaults: { truncation_psi: 1, noise_mode: 'const', inputs: {} },
    multiply_adds: 0,
    precision: {
      weights: 'float32',
      stored: {},
      bytes: null,
      float32_bytes: null,
      mean_grey_levels: null,
      high_grey_levels: null,
      max_grey_levels: null,
    },
    targets: {},
    goldens: { file: 'goldens.safetensors', cases: [] },
    previews: [],
    directions: null,
    encoder: null,
    inside: [],
    preview: null,
    parity: [],
    tools: {},
    files: { 'a/b.bin': { bytes: 3, sha256: '1'.repeat(64) }, '../c.bin': { bytes: 3, sha256: '1'.repeat(64) } },
    ...rest,
  };
}
