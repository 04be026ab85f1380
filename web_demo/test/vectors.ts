import { readFileSync } from 'node:fs';

/** What numpy made of one seed; numbers are the bits of float32. */
export interface RandomVector {
  readonly seed: number;
  readonly randn: readonly number[];
  readonly uniform: readonly number[];
  readonly randn_sum_5000: number;
  readonly uniform_sum_5000: number;
}

/** Values of an image, as the bits of float32, and the grey levels that Python makes of them. */
export interface PixelVector {
  readonly range: readonly [number, number];
  readonly values: readonly number[];
  readonly levels: readonly number[];
}

/** A picture of any size, what it is at another one, and that as the bits of float32, plane by plane. */
export interface FitVector {
  readonly width: number;
  readonly height: number;
  readonly data: readonly number[];
  readonly size: number;
  readonly channels: number;
  readonly fitted: readonly number[];
  readonly range: readonly [number, number];
  readonly values: readonly number[];
}

/** Noise of two seeds after their z, by input, as the bits of float32. */
export interface NoiseVector {
  readonly z: 'normal' | 'uniform';
  readonly noise: 'normal' | 'uniform';
  readonly values: Readonly<Record<string, readonly number[]>>;
}

/** A call of the toolbox: names of latents and other arguments, and the bits of what it gives. */
export interface ToolboxVector {
  readonly call: string;
  readonly given: readonly unknown[];
  readonly shape: readonly number[];
  readonly bits: readonly number[];
}

/** Latents by name, as shapes and bits, and calls that take them. */
export interface ToolboxVectors {
  readonly latents: Readonly<Record<string, { readonly shape: readonly number[]; readonly bits: readonly number[] }>>;
  readonly cases: readonly ToolboxVector[];
  readonly class_sweep: readonly [readonly number[], readonly number[]];
}

export const randomVectors = read('random_state.json') as readonly RandomVector[];
export const pixelVectors = read('pixels.json') as readonly PixelVector[];
export const fitVectors = read('fits.json') as readonly FitVector[];
export const noiseVectors = read('noise.json') as readonly NoiseVector[];
export const toolboxVectors = read('toolbox.json') as ToolboxVectors;

/** The bits of float32 numbers. */
export function bitsOf(values: Float32Array): number[] {
  return [...new Uint32Array(values.buffer)];
}

/** Float32 numbers of these bits. */
export function fromBits(bits: readonly number[]): Float32Array {
  return new Float32Array(Uint32Array.from(bits).buffer);
}

/** Sum of bits times position, modulo 2**32. */
export function checksum(values: Float32Array): number {
  const sum = bitsOf(values).reduce((total, bits, i) => total + BigInt(bits) * BigInt(i + 1), 0n);
  return Number(sum % 2n ** 32n);
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(new URL(`vectors/${name}`, import.meta.url), 'utf8'));
}
