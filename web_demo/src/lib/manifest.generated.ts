// Written by web_demo/manifest_types.py from the JSON Schema of ganexport.json. Do not edit.

/** What a reader of the bundle uses where the caller says nothing. */
export interface Defaults {
  readonly truncation_psi: number;
  /** `const` scales the stored noise by the input `noise_scale`; `random` and `input` are graphs that take the noise itself, drawn from the seed or given by the caller; `none` also when there is no noise. */
  readonly noise_mode: 'const' | 'none' | 'random' | 'input';
  /** Value of each further input for one picture, row by row, e.g. `transform`. */
  readonly inputs: { readonly [name: string]: readonly number[] };
}

/**
 * A direction in the latent space: one step changes the same thing in every picture.
 *
 * Its vector in the file of directions has its name: float32 [w_dim] or [z_dim]. An amount of 1 is one standard
 * deviation of the latents along it; where there are classes, of those of one class.
 */
export interface Direction {
  /** e.g. `sefa-0`, `pca-3`, `class-7`. */
  readonly name: string;
  /** What people call it; null as long as nobody has named it. */
  readonly title: string | null;
  readonly method: 'sefa' | 'pca' | 'attribute';
  readonly space: 'w' | 'z';
  /** First ws that it moves, and one past the last; null in z. */
  readonly layers: readonly [number, number] | null;
  /** Amounts within which pictures stay plausible. */
  readonly range: readonly [number, number];
  /** Share of the variance, where the method knows it. */
  readonly explained: number | null;
  /** Pictures along it. */
  readonly preview: string | null;
}

/** Directions to move latents in. */
export interface Directions {
  /** A `.safetensors` file with a vector for each. */
  readonly file: string;
  readonly items: readonly Direction[];
}

/**
 * What finds the latents of a picture.
 *
 * Its graphs take `image`, a picture with values in `spec.image_range`: [N, C, H, W], for TF.js [N, H, W, C]. They
 * give `z` [N, z_dim], or `ws` [N, num_ws, w_dim] for the synthesis; with classes also `c_logits` [N, c_dim], whose
 * greatest tells the class. Where they give z, the same z under another class is that class in the picture's style.
 */
export interface Encoder {
  /** Its canonical weights; null where only its graphs are offered. */
  readonly file: string | null;
  /** Hash of its canonical tensors, which its graphs state too. */
  readonly weights_sha256: string;
  /** Whether it gives `ws` or `z`. */
  readonly space: 'w' | 'z';
  readonly graphs: { readonly [name in 'onnx' | 'tfjs']?: Graph };
  /** What was measured when it was trained. */
  readonly figures: { readonly [name: string]: number };
}

/** Size and hash of one file of the bundle. */
export interface FileEntry {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Inputs whose picture is recorded in `goldens.safetensors`.
 *
 * Tensors there: `{name}.z` [N,z_dim], `{name}.c` [N,c_dim] (only when c_dim > 0), `{name}.truncation_psi` [N,num_ws]
 * (only with a w space), `{name}.noise_scale` [N] (only when the synthesis takes it), further inputs by their names,
 * and `{name}.images` uint8 [N,H,W,C]. Noise that is drawn from the seeds is not recorded.
 */
export interface GoldenCase {
  readonly name: string;
  readonly seeds: readonly number[];
  /** Class of each picture; null when unconditional. */
  readonly labels: readonly number[] | null;
  readonly truncation_psi: number;
  readonly truncation_cutoff: number | null;
  readonly noise_mode: 'const' | 'none' | 'random';
  /** Further inputs that differ from the defaults, the same for each picture. */
  readonly inputs: { readonly [name: string]: readonly number[] };
}

/** Recorded pictures, for checking on the visitor's own device. */
export interface Goldens {
  readonly file: string;
  readonly cases: readonly GoldenCase[];
}

/** One graph of one target. */
export interface Graph {
  /** The `.onnx` file or the TF.js `model.json`. */
  readonly file: string;
  /** Weights that lie beside it. */
  readonly weight_files: readonly string[];
  /** Of the picture that it gives, or takes; null for a mapping. */
  readonly resolution: number | null;
  readonly inputs: readonly GraphTensor[];
  readonly outputs: readonly GraphTensor[];
}

/** One input or output of a graph. `N` is the batch. */
export interface GraphTensor {
  readonly name: string;
  readonly shape: readonly (number | 'N')[];
  readonly dtype: 'float32' | 'uint8';
}

/** The graphs of one target. The stages of `synthesis` follow each other. */
export interface Graphs {
  /** z, c, truncation_psi -> ws; null without a w space. */
  readonly mapping: Graph | null;
  readonly synthesis: readonly Graph[];
  /** The whole, for services (ONNX only). */
  readonly generator: Graph | null;
}

/** One picture of the model from within. */
export interface Inside {
  readonly seed: number;
  /** Its class; null when unconditional. */
  readonly label: number | null;
  readonly truncation_psi: number;
  readonly items: readonly InsidePicture[];
}

/** What one layer does, or how the last ones put the picture together. */
export interface InsidePicture {
  /** e.g. `b16.conv1`; null for how the picture comes together. */
  readonly layer: string | null;
  /** What it shows, in words. */
  readonly text: string;
  readonly picture: string;
}

/** One line of the gate: a whole tensor of one case, from one runtime, against the float64 oracle. */
export interface ParityResult {
  readonly target: 'onnx' | 'tfjs';
  /** e.g. `onnxruntime-cpu`, `tfjs-wasm`. */
  readonly runtime: string;
  readonly version: string | null;
  readonly case: string;
  readonly tensor: string;
  readonly status: 'ok' | 'failed' | 'not verified';
  /** Greatest |got − oracle|. */
  readonly max_abs: number | null;
  /** Greatest that was allowed, in the same unit. */
  readonly tolerance: number | null;
  /** Why it failed or could not be verified. */
  readonly reason: string | null;
}

/**
 * How the weights are stored, and what that costs.
 *
 * The errors are those of the goldens' pictures, drawn with these weights and with the original ones, both in float64,
 * in grey levels (255 from black to white) before they are rounded to whole ones; null for float32. The goldens
 * themselves are drawn with the weights as they are stored.
 */
export interface Precision {
  readonly weights: 'float32' | 'float16' | 'int16' | 'int8' | 'mixed';
  /** Storage of each canonical tensor; of those that are not named, float32. */
  readonly stored: { readonly [name: string]: 'float16' | 'int16' | 'int12' | 'int10' | 'int9' | 'int8' };
  /** Of all weights as they are stored. */
  readonly bytes: number | null;
  /** Of all weights as float32. */
  readonly float32_bytes: number | null;
  /** Mean error. */
  readonly mean_grey_levels: number | null;
  /** Error that one value in 1000 exceeds. */
  readonly high_grey_levels: number | null;
  /** Greatest error. */
  readonly max_grey_levels: number | null;
  /** What was compared, in float32, where the smallest weights were looked for. */
  readonly choices: readonly PrecisionChoice[];
  /** The same drawn: bytes against error. */
  readonly plot: string | null;
}

/** One way in which the weights could be stored, and what it would cost. */
export interface PrecisionChoice {
  readonly weights: 'float32' | 'float16' | 'int16' | 'int8' | 'mixed';
  readonly bytes: number;
  readonly mean_grey_levels: number;
  readonly high_grey_levels: number;
  readonly max_grey_levels: number;
}

/** Where the weights came from. */
export interface Provenance {
  /** Kind of the file that was read, e.g. `ganexport` or `training`. */
  readonly source_format: string;
  /** Hash of that file. */
  readonly source_sha256: string | null;
  /** Hash of the canonical tensors: names, shapes and bytes. */
  readonly weights_sha256: string;
  /** What read it. */
  readonly importer: string;
  /** Licence of the weights, or a note on who sets it. */
  readonly licence: string;
  /** How they were trained, if known. */
  readonly training: { readonly [name: string]: unknown } | null;
}

/** The fields of `GeneratorSpec`; an architecture's own fields follow them and are kept as they are. */
export interface SpecSummary {
  readonly architecture: string;
  readonly resolution: number;
  readonly image_channels: 1 | 3 | 4;
  readonly z_dim: number;
  readonly c_dim: number;
  readonly w_dim: number;
  readonly num_ws: number;
  readonly z_distribution: 'normal' | 'uniform';
  readonly noise_distribution: 'normal' | 'uniform';
  readonly image_range: readonly [number, number];
  readonly [field: string]: unknown;
}

/** The whole of `ganexport.json`. */
export interface Manifest {
  readonly schema_version: 1;
  readonly name: string;
  readonly spec: SpecSummary;
  /** Names of the classes, in order; null without names. */
  readonly labels: readonly string[] | null;
  readonly provenance: Provenance;
  readonly defaults: Defaults;
  /** Of one picture; 0 where they were not counted. */
  readonly multiply_adds: number;
  readonly precision: Precision;
  readonly targets: { readonly [name in 'onnx' | 'tfjs']?: Graphs };
  readonly goldens: Goldens;
  /** Resolutions below the full one of which the synthesis gives the picture, `rgb_b{res}`. */
  readonly previews: readonly number[];
  readonly directions: Directions | null;
  readonly encoder: Encoder | null;
  /** Pictures from within, layer by layer. */
  readonly inside: readonly Inside[];
  readonly preview: string | null;
  readonly parity: readonly ParityResult[];
  /** Versions of the programs that made the bundle. */
  readonly tools: { readonly [name: string]: string };
  /** Every file of the bundle but this one. */
  readonly files: { readonly [name: string]: FileEntry };
}
