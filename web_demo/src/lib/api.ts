import type { Picture } from './fit';
import type { Direction, Manifest } from './manifest';
import type { Pictures } from './pixels';
import type { RuntimeName } from './runtimes/registry';
import type { Tensor } from './tensor';

/** A class by its index or its name. */
export type Label = number | string;

/** Bytes of the bundle that have come, and all that will. */
export interface Progress {
  readonly loaded: number;
  readonly total: number;
}

/** Why a generator went on with another runtime. */
export interface Fallback {
  readonly from: RuntimeName;
  readonly to: RuntimeName;
  readonly reason: string;
}

export interface OpenOptions {
  /** Name of a runtime to try first; the best of this device when left out. */
  readonly runtime?: string | undefined;
  /** Whether the next runtime is tried where one does not start or breaks down; true when left out. */
  readonly fallback?: boolean | undefined;
  /** Whether to work beside the page, so that it never stalls; true when left out, where there are workers. */
  readonly worker?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
  readonly onFallback?: ((fallback: Fallback) => void) | undefined;
}

/** Where pictures come from: points of a latent space, one row a picture. */
export interface Latents {
  /** `w` for what a mapping gave, `z` for what was drawn. */
  readonly space: 'w' | 'z';
  /** [N, num_ws, w_dim] in w, [N, z_dim] in z; float32. */
  readonly tensor: Tensor;
  /** Class of each picture; null without classes. */
  readonly labels: readonly number[] | null;
  /** Seed of each picture, from which its noise is drawn where noise is random. */
  readonly seeds: readonly number[];
}

/** How to come to latents; those of a family with a w space go through its mapping. */
export interface LatentOptions {
  /** One picture a seed. */
  readonly seeds: readonly number[];
  /** z [N, z_dim] to map in place of that of the seeds. */
  readonly z?: Tensor | undefined;
  /** One class for all, or one a seed, by index or name; needed when there are classes. */
  readonly label?: Label | readonly Label[] | undefined;
  /** Truncation; the bundle's default when left out. */
  readonly psi?: number | undefined;
  /** How many of the first ws are truncated; all when left out. */
  readonly cutoff?: number | null | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** How to draw latents. */
export interface DrawOptions {
  /** Stored, drawn from each seed, or none: the bundle was made for one of the first two, and for `none`. */
  readonly noise?: 'const' | 'random' | 'none' | undefined;
  /** Further inputs by name, such as StyleGAN3's `transform`: values for one picture, the same for all. */
  readonly inputs?: Readonly<Record<string, readonly number[]>> | undefined;
  /** Draw no further than this: the size of one of `manifest.previews`, or the full one when left out. */
  readonly resolution?: number | undefined;
  /** Told of smaller pictures on the way, where the synthesis has stages: those of the latents from row `first` on. */
  readonly onPreview?: ((pictures: Pictures, first: number) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface GenerateOptions extends LatentOptions, DrawOptions {}

export interface EncodeOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Latents that were found for pictures, with seed 0 and the class that each was read as.
 *
 * In z of a family with a w space they are mapped before they are drawn, under any class: `latents({ seeds, label, z })`.
 */
export interface Encoded extends Latents {
  /** The pictures as the encoder saw them. */
  readonly pictures: Pictures;
  /** [N, c_dim]: how sure it is of each class; null without classes. */
  readonly probabilities: Tensor | null;
}

/** A direction of the bundle with its vector. */
export interface LoadedDirection extends Omit<Direction, 'preview'> {
  /** [w_dim] or [z_dim]; an amount of 1 moves by one standard deviation. */
  readonly vector: Float32Array;
}

/** A bundle, loaded on a runtime. Calls wait for each other; one that fails or is aborted leaves the others alone. */
export interface Generator {
  readonly manifest: Manifest;
  /** The runtime of the moment; it changes where one breaks down. */
  readonly runtime: RuntimeName;
  readonly runtimeVersion: string;
  /** Points of the latent space to draw, mix, move and walk between. */
  latents(options: LatentOptions): Promise<Latents>;
  /** Draw latents. */
  draw(latents: Latents, options?: DrawOptions): Promise<Pictures>;
  /** Draw latents at every size on the way: those of `manifest.previews`, then the full one. */
  grow(latents: Latents, options?: DrawOptions): Promise<Pictures[]>;
  /** `latents`, then `draw`. */
  generate(options: GenerateOptions): Promise<Pictures>;
  /**
   * Find the latents of pictures of any size: grey, RGB or RGBA bytes, such as an `ImageData`. The middle square of each is
   * brought to the size of the generator's own. The encoder is fetched when this is first called; not every bundle has one.
   */
  encode(pictures: readonly Picture[], options?: EncodeOptions): Promise<Encoded>;
  /** The bundle's directions with their vectors, fetched when first asked for; empty where it has none. */
  directions(): Promise<readonly LoadedDirection[]>;
  /** Tensors that the runtime holds now, where it counts them. */
  tensorCount(): Promise<number | null>;
  /** Give back the runtime's memory, after the run in progress. */
  dispose(): Promise<void>;
}
