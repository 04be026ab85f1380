import type { Latents } from '../api';
import { GanExportError } from '../errors';
import { alignRows, countOf, lengthOfRow, lengthOfVector, perRow, pickRows, rowsOf, withData } from './rows';

/** How to walk from keyframe to keyframe. */
export interface WalkOptions {
  /** Frames from one keyframe to the next: the keyframe itself, then equal steps. */
  readonly frames: number;
  /** Whether to go on from the last keyframe to the first; the last frame is then the one before that. */
  readonly loop?: boolean | undefined;
}

/** Below this sine of their angle two vectors count as parallel or opposite. */
const PARALLEL = 1e-6;

/** On the straight line from a (t = 0) to b (t = 1); class and seed are those of the nearer one. */
export function lerp(a: Latents, b: Latents, t: number | readonly number[]): Latents {
  return blend(a, b, t, (from, to, along, out) => weigh(from, to, 1 - along, along, out));
}

/**
 * On the arc from a (t = 0) to b (t = 1), each z or w on its own; class and seed are those of the nearer one.
 *
 * The angle is that of the directions and the weights are put on the vectors as they are, so that lengths in between
 * lie in between. Directions that are equal or opposite have no arc: there it is `lerp`.
 *
 * Source: Shoemake 1985 (Animating rotation with quaternion curves), section 3.3; for latents White 2016 (Sampling
 * generative networks), section 2.1. The angle is Kahan's 2·atan2(|u − v|, |u + v|), which is exact for small ones too.
 */
export function slerp(a: Latents, b: Latents, t: number | readonly number[]): Latents {
  return blend(a, b, t, (from, to, along, out) => {
    const angle = angleBetween(from, to);
    const sine = Math.sin(angle);
    if (sine < PARALLEL) weigh(from, to, 1 - along, along, out);
    else weigh(from, to, Math.sin((1 - along) * angle) / sine, Math.sin(along * angle) / sine, out);
  });
}

/**
 * Through keyframes, one after the other: `slerp` in z, `lerp` in w.
 *
 * Without a loop the last frame is the last keyframe, (K − 1)·frames + 1 in all; with one there are K·frames.
 */
export function walk(keyframes: Latents, { frames, loop = false }: WalkOptions): Latents {
  const count = countOf(keyframes);
  if (!(Number.isInteger(frames) && frames >= 1)) {
    throw new GanExportError('option', `frames must be a whole number from 1, found ${frames}`);
  }
  if (count === 0) throw new GanExportError('option', 'a walk needs at least one keyframe, found none');
  const length = loop ? count * frames : (count - 1) * frames + 1;
  const places = Array.from({ length }, (_, frame) => Math.floor(frame / frames));
  const along = places.map((place, frame) => (frame - place * frames) / frames);
  const from = pickRows(keyframes, places);
  const to = pickRows(keyframes, places.map((place) => (place + 1) % count));
  return keyframes.space === 'z' ? slerp(from, to, along) : lerp(from, to, along);
}

type Blender = (from: Float32Array, to: Float32Array, along: number, out: Float32Array) => void;

function blend(a: Latents, b: Latents, t: number | readonly number[], blendVectors: Blender): Latents {
  const [from, to] = alignRows([a, b], rowsOf(t)) as [Latents, Latents];
  const along = perRow('t', t, countOf(from));
  const size = lengthOfVector(from);
  const vectors = lengthOfRow(from) / size;
  const data = new Float32Array(from.tensor.data.length);
  for (let start = 0; start < data.length; start += size) {
    const [first, second, out] = [from.tensor.data, to.tensor.data, data].map((all) => all.subarray(start, start + size));
    blendVectors(first!, second!, along[Math.floor(start / size / vectors)]!, out!);
  }
  const nearer = along.map((place) => (place < 0.5 ? from : to));
  return {
    ...withData(from, data),
    labels: from.labels && to.labels && nearer.map(({ labels }, row) => labels![row]!),
    seeds: nearer.map(({ seeds }, row) => seeds[row]!),
  };
}

function weigh(from: Float32Array, to: Float32Array, first: number, second: number, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = first * from[i]! + second * to[i]!;
}

/** Angle between the directions of two vectors, 0 … π; 0 where one of them has none. */
function angleBetween(a: Float32Array, b: Float32Array): number {
  const [lengthA, lengthB] = [lengthOf(a), lengthOf(b)];
  if (lengthA === 0 || lengthB === 0) return 0;
  const [u, v] = [Float64Array.from(a, (x) => x / lengthA), Float64Array.from(b, (x) => x / lengthB)];
  return 2 * Math.atan2(lengthOf(u.map((x, i) => x - v[i]!)), lengthOf(u.map((x, i) => x + v[i]!)));
}

function lengthOf(values: Float32Array | Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value * value;
  return Math.sqrt(sum);
}
