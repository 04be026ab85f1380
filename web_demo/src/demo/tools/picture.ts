import './picture.css';

import { toImageData } from '../../lib';
import type { Generator } from '../../lib/api';
import type { Picture } from '../../lib/fit';
import { pickRows } from '../../lib/toolbox';
import { button, make } from '../dom';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { Bring } from './parts/bring';
import { drawEach, shownBy } from './parts/drawing';
import { Slider } from './parts/fields';
import { Latest } from './parts/latest';
import { Pad } from './parts/pad';
import { anySeed } from './parts/picks';
import { classesOf, findLatents, type Found, readingOf, swaps, toDraw } from './picture_style';

/** From a picture back to its latents. Source: Perarnau et al. 2016 (Invertible conditional GANs). */
export const picture: Tool = {
  id: 'picture',
  title: 'From a picture',
  hint:
    'Drop a picture here, paste it or choose a file. An encoder finds its latents; the generator draws it again, in every ' +
    'class. It stays on this device.',
  available: ({ encoder }) => encoder !== null,
  usesSettings: false,
  mount: (panel, studio) => new PictureView(panel, studio),
};

/** A picture to start from. */
interface Given {
  readonly picture: Picture;
  /** Whether its light and dark are swapped; null: whatever suits. */
  readonly swap: boolean | null;
  /** Whether the pad shows it already. */
  readonly isDrawn: boolean;
}

/** What was given last, for as long as the model stays: it stands in no address. */
const kept = new WeakMap<Studio, Given>();

const STRONGEST = 1.5;

/** Classes side by side, where there is room. */
const COLUMNS = 6;

class PictureView implements Mounted {
  readonly #studio: Studio;
  readonly #pad: Pad | null;
  readonly #bring: Bring;
  readonly #swap = make('input', { type: 'checkbox' });
  readonly #strength: Slider;
  readonly #reading = make('p', { class: 'reading' });
  readonly #seen: Tile;
  readonly #again: Tile;
  readonly #classes = make('div', { class: 'classes', role: 'group', 'aria-label': 'Every class in its style' });
  readonly #live: Latest;
  /** Of its own picture, as long as nobody has brought another. */
  #seed: number;
  #tiles: readonly Tile[] = [];
  #running = new AbortController();

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    this.#seed = studio.settings.seed;
    this.#live = new Latest((error) => studio.fail(error));
    this.#seen = this.#newTile();
    this.#again = this.#newTile();
    const { manifest } = studio;
    this.#pad = swaps(manifest) ? new Pad({ onStroke: () => this.#onStroke(), onLift: () => studio.redraw() }) : null;
    this.#bring = new Bring({
      place: panel,
      onPicture: (brought) => this.#give({ picture: brought, swap: null, isDrawn: false }),
      onError: (error) => studio.fail(error),
    });
    this.#swap.addEventListener('change', () => {
      const given = kept.get(studio);
      if (given) this.#give({ ...given, swap: this.#swap.checked });
    });
    this.#strength = new Slider({
      label: 'Strength of its style',
      min: 0,
      max: STRONGEST,
      step: 0.05,
      describe: (value) => `${Math.round(value * 100)} %`,
      onInput: () => this.#ask(),
      onChange: (value) => {
        studio.setToolState(value === 1 ? '' : String(value));
        studio.redraw();
      },
    });
    this.#strength.element.hidden = manifest.spec.num_ws === 0;
    this.#reading.hidden = this.#classes.hidden = manifest.spec.c_dim === 0;
    const given = kept.get(studio);
    if (given) kept.set(studio, { ...given, isDrawn: false }); // another pad drew it
    panel.append(this.#buildGiven(), this.#buildFound());
  }

  async update(signal: AbortSignal): Promise<void> {
    this.#live.drop();
    this.#strength.value = strengthOf(this.#studio.toolState);
    const running = this.#start();
    const either = AbortSignal.any([signal, running.signal]);
    try {
      const given = kept.get(this.#studio) ?? (await this.#giveOwn(either));
      await this.#show(given, either);
      this.#studio.say(this.#reading.textContent || 'Drawn again');
    } catch (error) {
      if (!running.signal.aborted) throw error; // else somebody draws on: what comes of that is shown
    }
  }

  dispose(): void {
    this.#live.drop();
    this.#running.abort();
    this.#bring.dispose();
  }

  #newTile(): Tile {
    return new Tile((shown) => this.#studio.open(shown, shownBy([this.#seen, this.#again, ...this.#tiles])));
  }

  #buildGiven(): HTMLElement {
    const own = button('An example', () => {
      this.#seed = anySeed();
      kept.delete(this.#studio);
      this.#studio.redraw();
    });
    const ways = make('div', { class: 'toolbar' }, this.#bring.element, own);
    if (this.#pad === null) return make('div', { class: 'given' }, this.#seen.element, ways);
    const clear = button('Clear', () => this.#pad?.clear(), { class: 'quiet' });
    const swap = make('label', { class: 'check' }, this.#swap, 'Swap light and dark');
    const invitation = make('p', { class: 'invitation' }, 'Draw here');
    return make('div', { class: 'given' }, invitation, this.#pad.element, ways, make('div', { class: 'row' }, swap, clear));
  }

  #buildFound(): HTMLElement {
    const seen = this.#pad === null ? [] : [this.#seen.element];
    const pair = make('div', { class: 'seen-again' }, ...seen, this.#again.element);
    const words = make('div', { class: 'said' }, this.#reading, this.#strength.element);
    return make('div', { class: 'found' }, pair, words, this.#classes);
  }

  /** Start from another picture. */
  #give(given: Given): void {
    kept.set(this.#studio, given);
    this.#studio.redraw();
  }

  /** Start from what the generator draws: so there is something to see, also for who has no picture at hand. */
  async #giveOwn(signal: AbortSignal): Promise<Given> {
    const studio = this.#studio;
    const generator = await studio.generator();
    const pictures = await generator.generate({ ...studio.latentOptions([this.#seed]), ...studio.drawOptions(), signal });
    signal.throwIfAborted();
    const given = { picture: toImageData(pictures, 0), swap: false, isDrawn: false };
    kept.set(studio, given);
    return given;
  }

  /** While the pen moves, the pictures follow. */
  #onStroke(): void {
    const drawing = this.#pad?.drawing;
    if (!drawing) return;
    kept.set(this.#studio, { picture: drawing, swap: null, isDrawn: true });
    this.#ask();
  }

  #ask(): void {
    const given = kept.get(this.#studio);
    if (given) this.#live.ask(() => this.#show(given, this.#start().signal));
  }

  /** What is under way is not wanted any more. */
  #start(): AbortController {
    this.#running.abort();
    this.#running = new AbortController();
    return this.#running;
  }

  async #show(given: Given, signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const generator = await studio.generator();
    signal.throwIfAborted();
    const found = await findLatents(studio, generator, given.picture, given.swap, signal);
    signal.throwIfAborted();
    const { pictures, index, chances } = found;
    if (!given.isDrawn) this.#pad?.show(pictures, index);
    this.#swap.checked = found.swapped;
    this.#reading.textContent = chances && `Read as ${readingOf(chances, (label) => studio.labelName(label))}`;
    const seen = { pictures, index, title: 'Your picture, as the encoder sees it', seed: null, label: null, isLocal: true as const };
    this.#seen.show(seen, 'as it sees it');
    await this.#draw(generator, found, signal);
  }

  /** Draw it again, and in every class. */
  async #draw(generator: Generator, { latents, chances }: Found, signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const psi = this.#strength.value;
    const read = latents.labels?.[0] ?? null;
    const labels = chances && [read!, ...classesOf(chances)];
    const tiles = [this.#again, ...this.#tilesFor(labels ? labels.length - 1 : 0)];
    const rows = pickRows(latents, tiles.map(() => 0));
    const wanted = await toDraw(generator, rows, labels, psi, signal);
    const details = studio.manifest.spec.num_ws > 0 ? `its style at ${Math.round(psi * 100)} %` : '';
    await drawEach(studio, generator, wanted, { signal }, (row, pictures, index) => {
      const label = labels?.[row] ?? null;
      const name = label === null ? '' : studio.labelName(label);
      const title = row > 0 ? `Class ${name} in the style of your picture` : `Your picture, drawn again${name && ` as class ${name}`}`;
      const shown: Shown = { pictures, index, title, details, seed: null, label, psi, isLocal: true };
      tiles[row]!.show(shown, row > 0 ? name : 'drawn again');
      tiles[row]!.element.toggleAttribute('data-read', row > 0 && label === read);
    });
  }

  /** As many tiles for classes as there are to be. */
  #tilesFor(count: number): readonly Tile[] {
    if (this.#tiles.length !== count) {
      this.#tiles = Array.from({ length: count }, () => this.#newTile());
      const rows = Math.ceil(count / COLUMNS);
      this.#classes.style.setProperty('--columns', String(Math.ceil(count / rows)));
      this.#classes.replaceChildren(...this.#tiles.map(({ element }) => element));
    }
    return this.#tiles;
  }
}

/** The strength that stands in the address; 1 where none does. */
export function strengthOf(text: string): number {
  const number = text === '' ? 1 : Number(text);
  return number >= 0 && number <= STRONGEST ? number : 1;
}
