import type { Pictures } from '../lib';
import type { DrawOptions, Generator, LatentOptions, Latents } from '../lib/api';
import { labelIndex } from '../lib/latents';
import type { Manifest } from '../lib/manifest';
import type { NoiseMode, State } from './state';

/** The settings beside the tools, with the model's defaults where the visitor chose nothing. */
export interface Settings {
  readonly seed: number;
  /** A class by its index or name, or `all`: one after the other. */
  readonly label: string;
  readonly psi: number;
  readonly cutoff: number | null;
  readonly noise: NoiseMode;
}

/** A picture that stands somewhere on the page, and what is known of it. */
export interface Shown {
  readonly pictures: Pictures;
  /** Which of `pictures` it is. */
  readonly index: number;
  /** It in words, such as `Seed 6, class 3`: the alternative text, and the title of the dialog. */
  readonly title: string;
  /** What more there is to say of it, such as how it was mixed. */
  readonly details?: string;
  /** Null where it is not the picture of one seed. */
  readonly seed: number | null;
  /** Null without classes, or where it is not the picture of one class. */
  readonly label: number | null;
  /** The truncation of all its layers, where that is not the settings'. */
  readonly psi?: number;
  /** Whether it comes from what only this device has: then no link shows it. */
  readonly isLocal?: true;
  /** Its one row of latents, where they are known; a tool that collects it makes those of plain pictures from the seed. */
  readonly latents?: Latents;
}

/** How a picture was truncated. */
export function truncationOf({ psi }: Shown, { settings }: Studio): Pick<Settings, 'psi' | 'cutoff'> {
  return psi === undefined ? settings : { psi, cutoff: null };
}

/** What a tool works with. One for each model that is chosen. */
export interface Studio {
  /** Address of the model's `ganexport.json`. */
  readonly url: string;
  readonly manifest: Manifest;
  readonly settings: Settings;
  /** The name of the wanted runtime; undefined for the best of this device. */
  readonly runtime: string | undefined;
  /** The open tool's own part of the address. */
  readonly toolState: string;
  /** Write the open tool's part of the address. The tool shows it itself, or calls `redraw`. */
  setToolState(text: string): void;
  /** Change settings, as if by the controls. */
  choose(settings: Partial<Settings>): void;
  /** Have the open tool's `update` called again; the one in progress is aborted. */
  redraw(): void;
  /** The model, loaded; ask anew each time, as the visitor may change the runtime. */
  generator(): Promise<Generator>;
  /** Class of the picture at a position: the chosen one, or each in turn; null without classes. */
  labelAt(position: number): number | null;
  /** What people call a class. */
  labelName(label: number): string;
  /** How to come to the latents of seeds under the settings, the first at position 0. */
  latentOptions(seeds: readonly number[]): LatentOptions;
  /** How to draw under the settings. */
  drawOptions(): DrawOptions;
  /** The picture of a seed and a class. */
  seedPicture(seed: number, label: number | null, pictures: Pictures, index: number): Shown;
  /** Show a picture large, to save and to collect; the arrow keys go through those `among` which it stands. */
  open(shown: Shown, among?: readonly Shown[]): void;
  /** A short message, for eyes and for screen readers. */
  say(text: string): void;
  /** Say what went wrong; an abort is no failure. */
  fail(error: unknown): void;
}

/** What the page does for a studio. */
export interface StudioHost {
  readonly state: State;
  choose(change: Partial<State>): void;
  setToolState(text: string): void;
  redraw(): void;
  generator(): Promise<Generator>;
  open(shown: Shown, among: readonly Shown[]): void;
  say(text: string): void;
  fail(error: unknown): void;
}

/** The studio of a model on the page. */
export class ModelStudio implements Studio {
  constructor(
    readonly url: string,
    readonly manifest: Manifest,
    readonly host: StudioHost,
  ) {}

  get settings(): Settings {
    const { seed, label, psi, cutoff, noise } = this.host.state;
    const { defaults, spec } = this.manifest;
    const own = defaults.noise_mode === 'input' ? 'none' : defaults.noise_mode;
    return {
      seed,
      label,
      psi: spec.num_ws > 0 ? (psi ?? defaults.truncation_psi) : 1,
      cutoff: spec.num_ws > 0 ? cutoff : null,
      // A link may come from another model: noise that this one was not made for is none to choose.
      noise: noise === 'none' || noise === own ? noise : own,
    };
  }

  get runtime(): string | undefined {
    return this.host.state.runtime || undefined;
  }

  get toolState(): string {
    const { tool, tools } = this.host.state;
    return tools[tool] ?? '';
  }

  setToolState(text: string): void {
    this.host.setToolState(text);
  }

  choose(settings: Partial<Settings>): void {
    this.host.choose(settings);
  }

  redraw(): void {
    this.host.redraw();
  }

  generator(): Promise<Generator> {
    return this.host.generator();
  }

  labelAt(position: number): number | null {
    const classes = this.manifest.spec.c_dim;
    if (classes === 0) return null;
    const { label } = this.settings;
    return label === 'all' ? position % classes : labelIndex(label, this.manifest);
  }

  labelName(label: number): string {
    return this.manifest.labels?.[label] ?? String(label);
  }

  latentOptions(seeds: readonly number[]): LatentOptions {
    const { psi, cutoff } = this.settings;
    const { c_dim: classes, num_ws: layers } = this.manifest.spec;
    return {
      seeds,
      label: classes > 0 ? seeds.map((_, position) => this.labelAt(position) ?? 0) : undefined,
      psi: layers > 0 ? psi : undefined,
      cutoff: layers > 0 ? cutoff : undefined,
    };
  }

  drawOptions(): DrawOptions {
    return this.manifest.defaults.noise_mode === 'input' ? {} : { noise: this.settings.noise };
  }

  seedPicture(seed: number, label: number | null, pictures: Pictures, index: number): Shown {
    const title = label === null ? `Seed ${seed}` : `Seed ${seed}, class ${this.labelName(label)}`;
    return { pictures, index, title, seed, label };
  }

  open(shown: Shown, among: readonly Shown[] = [shown]): void {
    this.host.open(shown, among);
  }

  say(text: string): void {
    this.host.say(text);
  }

  fail(error: unknown): void {
    this.host.fail(error);
  }
}
