import type { Pictures } from '../../lib';
import type { Generator, Latents } from '../../lib/api';
import { fitPicture, type Picture } from '../../lib/fit';
import type { Manifest } from '../../lib/manifest';
import { rowsOf } from '../../lib/tensor';
import { lerp, pickRows } from '../../lib/toolbox';
import type { Studio } from '../studio';
import { MOST_CLASSES } from './sweep_plans';

/** What was found of a picture. */
export interface Found {
  /** It as the encoder saw it, and which of them. */
  readonly pictures: Pictures;
  readonly index: number;
  /** One row, with the class that it was read as. */
  readonly latents: Latents;
  /** How sure the encoder is of each class; null without classes. */
  readonly chances: readonly number[] | null;
  /** Whether its light and dark were swapped. */
  readonly swapped: boolean;
}

/** Whether light and dark can be swapped: in grey pictures, where ink may be either. */
export function swaps({ spec }: Manifest): boolean {
  return spec.image_channels === 1;
}

/**
 * Find the latents of a picture.
 *
 * @param swap whether its light and dark are swapped; null for what the generator draws again more nearly
 */
export async function findLatents(
  studio: Studio,
  generator: Generator,
  picture: Picture,
  swap: boolean | null,
  signal: AbortSignal,
): Promise<Found> {
  const { resolution, image_channels: channels } = studio.manifest.spec;
  const plain = fitPicture(picture, resolution, channels);
  const tried = swap === null && swaps(studio.manifest) ? [false, true] : [swap ?? false];
  const encoded = await generator.encode(tried.map((swapped) => (swapped ? negative(plain) : plain)), { signal });
  let index = 0;
  if (tried.length > 1) {
    const latents = await toDraw(generator, encoded, encoded.labels, 1, signal);
    const again = await generator.draw(latents, { ...studio.drawOptions(), signal });
    index = distance(encoded.pictures, again, 1) < distance(encoded.pictures, again, 0) ? 1 : 0;
  }
  const chances = encoded.probabilities && [...rowsOf(encoded.probabilities, index, index + 1).data];
  return { pictures: encoded.pictures, index, latents: pickRows(encoded, [index]), chances, swapped: tried[index]! };
}

/**
 * Found latents, each under a class and as strong as wanted, ready to be drawn.
 *
 * @param strength 1 for the picture's own style, 0 for the average of its class; only families with a w space know it
 */
export async function toDraw(
  generator: Generator,
  found: Latents,
  labels: readonly number[] | null,
  strength: number,
  signal: AbortSignal,
): Promise<Latents> {
  const { c_dim: classes, num_ws: layers } = generator.manifest.spec;
  const { seeds, tensor: z } = found;
  const label = classes > 0 && labels ? labels : undefined;
  const psi = layers > 0 ? strength : undefined;
  if (found.space === 'z') return generator.latents({ seeds, z, label, psi, signal });
  const average = await generator.latents({ seeds, label, psi: 0, signal });
  return lerp(average, found, strength);
}

/** The classes to draw: all, or where there are very many the likeliest, in their order. */
export function classesOf(chances: readonly number[]): number[] {
  const all = chances.map((_, label) => label);
  return all.sort((a, b) => chances[b]! - chances[a]!).slice(0, MOST_CLASSES).sort((a, b) => a - b);
}

/** The class that was read, and others that it may be: `7, 93 %; 1, 6 %`. */
export function readingOf(chances: readonly number[], nameOf: (label: number) => string): string {
  const likely = chances
    .map((chance, label) => ({ chance, label }))
    .sort((a, b) => b.chance - a.chance)
    .filter(({ chance }, place) => place === 0 || (place < 3 && chance >= 0.05));
  return likely.map(({ chance, label }) => `${nameOf(label)}, ${percent(chance)}`).join('; ');
}

function percent(chance: number): string {
  return chance > 0.99 && chance < 1 ? 'over 99 %' : `${Math.round(chance * 100)} %`;
}

function negative({ data, ...size }: Picture): Picture {
  return { ...size, data: data.map((level) => 255 - level) };
}

function distance(a: Pictures, b: Pictures, index: number): number {
  const length = a.data.length / a.count;
  let sum = 0;
  for (let at = index * length; at < (index + 1) * length; at++) sum += (a.data[at]! - b.data[at]!) ** 2;
  return sum;
}
