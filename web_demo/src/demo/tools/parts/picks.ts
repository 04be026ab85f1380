import type { Generator, Latents } from '../../../lib/api';
import { LARGEST_SEED } from '../../state';
import type { Studio } from '../../studio';

/** A picture by its seed and class; a class of null is the one that the settings say. */
export interface Pick {
  readonly seed: number;
  readonly label: number | null;
}

/** Read `5:3,6`: seed 5 of class 3, then seed 6. What is none is left out. */
export function readPicks(text: string): Pick[] {
  return text.split(',').flatMap((item) => {
    const found = /^(\d+)(?::(\d+))?$/.exec(item);
    const seed = Number(found?.[1]);
    if (found === null || seed > LARGEST_SEED) return [];
    return [{ seed, label: found[2] === undefined ? null : Number(found[2]) }];
  });
}

export function writePicks(picks: readonly Pick[]): string {
  return picks.map(({ seed, label }) => (label === null ? String(seed) : `${seed}:${label}`)).join(',');
}

/** Seeds that follow each other, from the one of the settings. */
export function seedsFrom(studio: Studio, offset: number, count: number): Pick[] {
  const { seed } = studio.settings;
  return Array.from({ length: count }, (_, i) => ({ seed: (seed + offset + i) % (LARGEST_SEED + 1), label: null }));
}

/** Any seed. */
export function anySeed(): number {
  return Math.floor(Math.random() * (LARGEST_SEED + 1));
}

/** The same picks, each with its class; one that the model has not is that of the settings. */
export function withLabels(studio: Studio, picks: readonly Pick[]): Pick[] {
  const classes = studio.manifest.spec.c_dim;
  return picks.map(({ seed, label }, position) => ({
    seed,
    label: label !== null && label < classes ? label : studio.labelAt(position),
  }));
}

/** The latents of picks that have their classes. */
export function latentsOf(
  studio: Studio,
  generator: Generator,
  picks: readonly Pick[],
  signal: AbortSignal,
): Promise<Latents> {
  const options = studio.latentOptions(picks.map(({ seed }) => seed));
  const label = studio.manifest.spec.c_dim > 0 ? picks.map(({ label }) => label ?? 0) : undefined;
  return generator.latents({ ...options, label, signal });
}

/** A pick in words. */
export function nameOf(studio: Studio, { seed, label }: Pick): string {
  return label === null ? `seed ${seed}` : `seed ${seed} (${studio.labelName(label)})`;
}
