import type { Generator, Latents } from '../../lib/api';
import type { Manifest } from '../../lib/manifest';
import { classSweep, sweepCoordinate, zLatents } from '../../lib/toolbox';
import type { Shown, Studio } from '../studio';
import { wholeNumber } from './parts/numbers';
import { latentsOf, seedsFrom, withLabels } from './parts/picks';

export type Mode = 'classes' | 'styles' | 'z';

/** What changes from picture to picture. */
export interface Sweep {
  readonly mode: Mode;
  /** The first class that is shown, where there are more than fit. */
  readonly first: number;
  /** Which number of z. */
  readonly coordinate: number;
  /** The values go from −span to span. */
  readonly span: number;
}

/** Pictures to draw: a row for each of some seeds. */
export interface Plan {
  readonly rows: readonly string[];
  readonly columns: readonly string[];
  readonly latents: Latents;
  /** Of each picture, row by row. */
  readonly pictures: readonly (Omit<Shown, 'pictures' | 'index'> & { readonly key: string })[];
}

export const SPANS = [1, 2, 3] as const;

/** More classes than these are shown in parts. */
export const MOST_CLASSES = 40;

const VALUES = 9;
const STYLES = 4;

const TITLES: Readonly<Record<Mode, string>> = {
  classes: 'The class',
  styles: 'The class, seed by seed',
  z: 'One number of z',
};

/** The modes that a model has. */
export function modesOf({ spec }: Manifest): { id: Mode; title: string }[] {
  const modes: Mode[] = spec.c_dim > 1 ? ['classes', 'styles', 'z'] : ['z'];
  return modes.map((id) => ({ id, title: TITLES[id] }));
}

/** Read `classes/40`, `styles` or `z/12/3`; what the model has not becomes what it has. */
export function readSweep(text: string, manifest: Manifest): Sweep {
  const [name, number = '', span = ''] = text.split('/');
  const modes = modesOf(manifest);
  const mode = modes.find(({ id }) => id === name)?.id ?? modes[0]!.id;
  const upTo = (most: number) => wholeNumber(number, 0, most, 0);
  const { c_dim: classes, z_dim: size } = manifest.spec;
  return {
    mode,
    first: mode === 'z' ? 0 : upTo(Math.max(0, classes - MOST_CLASSES)),
    coordinate: mode === 'z' ? upTo(size - 1) : 0,
    span: SPANS.find((one) => String(one) === span) ?? SPANS[0],
  };
}

export function writeSweep({ mode, first, coordinate, span }: Sweep): string {
  if (mode === 'z') return `z/${coordinate}/${span}`;
  return first > 0 ? `${mode}/${first}` : mode;
}

/** The pictures of a sweep. */
export function planOf(studio: Studio, generator: Generator, sweep: Sweep, signal: AbortSignal): Promise<Plan> {
  const plan = sweep.mode === 'z' ? coordinatePlan : classPlan;
  return plan(studio, generator, sweep, signal);
}

async function classPlan(studio: Studio, generator: Generator, sweep: Sweep, signal: AbortSignal): Promise<Plan> {
  const { mode, first } = sweep;
  const all = studio.manifest.spec.c_dim;
  const classes = Array.from({ length: Math.min(all, MOST_CLASSES) }, (_, i) => first + i);
  const seeds = seedsFrom(studio, 0, mode === 'styles' ? STYLES : 1).map(({ seed }) => seed);
  const { seeds: each, label } = classSweep(seeds, classes.length);
  const picks = each.map((seed, at) => ({ seed, label: first + label[at]! }));
  const names = classes.map((one) => studio.labelName(one));
  return {
    rows: seeds.map((seed) => `Seed ${seed}`),
    columns: names,
    latents: await latentsOf(studio, generator, picks, signal),
    pictures: picks.map(({ seed, label }) => ({
      title: `Seed ${seed}, class ${studio.labelName(label)}`,
      seed,
      label,
      key: `${seed}:${label}`,
    })),
  };
}

async function coordinatePlan(studio: Studio, generator: Generator, sweep: Sweep, signal: AbortSignal): Promise<Plan> {
  const { coordinate, span } = sweep;
  const [pick] = withLabels(studio, seedsFrom(studio, 0, 1));
  const { seed, label } = pick!;
  const values = Array.from({ length: VALUES }, (_, i) => (span * (2 * i - VALUES + 1)) / (VALUES - 1));
  const swept = sweepCoordinate(zLatents([seed], studio.manifest.spec), coordinate, values);
  const options = studio.latentOptions(swept.seeds);
  const latents = await generator.latents({ ...options, label: label ?? undefined, z: swept.tensor, signal });
  return {
    rows: [`Seed ${seed}`],
    columns: values.map(signed),
    latents,
    pictures: values.map((value) => ({
      title: `Seed ${seed} with z[${coordinate}] = ${signed(value)}`,
      seed: null,
      label,
      key: `${seed}:${label} z${coordinate}=${value}`,
    })),
  };
}

function signed(value: number): string {
  return value < 0 ? `−${-value}` : String(value);
}
