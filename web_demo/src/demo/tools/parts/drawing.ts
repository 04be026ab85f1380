import type { Pictures } from '../../../lib';
import type { Generator, Latents } from '../../../lib/api';
import type { Manifest } from '../../../lib/manifest';
import { pickRows } from '../../../lib/toolbox';
import type { Shown, Studio } from '../../studio';
import type { Tile } from '../../tile';
import { type Pick, writePicks } from './picks';

/** Pixels of one call: many small pictures at once, large ones one by one, so that each is seen as soon as it comes. */
const PIXELS_AT_ONCE = 24 * 64 * 64;

export interface DrawEachOptions {
  readonly signal: AbortSignal;
  /** The size of one of the model's previews; the full one when left out. */
  readonly resolution?: number | undefined;
}

/** Draw latents some at a time; `onPicture` is told of each row's picture in order. */
export async function drawEach(
  studio: Studio,
  generator: Generator,
  latents: Latents,
  { signal, resolution }: DrawEachOptions,
  onPicture: (row: number, pictures: Pictures, index: number) => void,
): Promise<void> {
  const count = latents.seeds.length;
  const side = resolution ?? studio.manifest.spec.resolution;
  const step = rowsAtOnce(side);
  for (let first = 0; first < count; first += step) {
    const rows = Array.from({ length: Math.min(step, count - first) }, (_, i) => first + i);
    const options = { ...studio.drawOptions(), resolution, signal };
    const pictures = await generator.draw(pickRows(latents, rows), options);
    signal.throwIfAborted();
    rows.forEach((row, index) => onPicture(row, pictures, index));
  }
}

/** How many pictures of this size are drawn in one call. */
export function rowsAtOnce(side: number): number {
  return Math.max(1, Math.floor(PIXELS_AT_ONCE / side ** 2));
}

/** The greatest size of at most this that the model gives, or else its smallest; undefined for the full one. */
export function sizeUpTo(most: number, { previews, spec }: Manifest): number | undefined {
  if (spec.resolution <= most || previews.length === 0) return undefined;
  const small = previews.filter((size) => size <= most);
  return small.length > 0 ? Math.max(...small) : Math.min(...previews);
}

/** A tile, and what is to be in it. */
export interface Wanted {
  readonly tile: Tile;
  /** Tells it, under the same settings, from all others. */
  readonly key: string;
  readonly shown: (pictures: Pictures, index: number) => Shown;
  /** What stands on it; its title when left out. */
  readonly caption?: string;
}

/** The picture of a pick that has its class. */
export function wantedPick(studio: Studio, tile: Tile, pick: Pick, caption: string): Wanted {
  const { seed, label } = pick;
  const shown = (pictures: Pictures, index: number) => studio.seedPicture(seed, label, pictures, index);
  return { tile, key: writePicks([pick]), shown, caption };
}

const held = new WeakMap<Tile, string>();

/** Draw each row of latents into its tile. Tiles that hold the right picture keep it: returns how many were drawn. */
export async function fill(
  studio: Studio,
  generator: Generator,
  latents: Latents,
  wanted: readonly Wanted[],
  signal: AbortSignal,
): Promise<number> {
  const { psi, cutoff, noise } = studio.settings;
  const keyOf = ({ key }: Wanted) => JSON.stringify([key, psi, cutoff, noise, studio.url, studio.runtime]);
  const missing = wanted.map((_, row) => row).filter((row) => held.get(wanted[row]!.tile) !== keyOf(wanted[row]!));
  await drawEach(studio, generator, pickRows(latents, missing), { signal }, (at, pictures, index) => {
    const one = wanted[missing[at]!]!;
    one.tile.show(one.shown(pictures, index), one.caption);
    held.set(one.tile, keyOf(one));
  });
  return missing.length;
}

/** All that these tiles hold, for the dialog to go through. */
export function shownBy(tiles: readonly Tile[]): Shown[] {
  return tiles.flatMap((tile) => tile.shown ?? []);
}
