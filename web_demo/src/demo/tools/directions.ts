import './directions.css';

import type { Latents, LoadedDirection } from '../../lib/api';
import { type Direction, urlOf } from '../../lib/manifest';
import { moveAlong } from '../../lib/toolbox';
import { button, make } from '../dom';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { type Amounts, directionsOf, readAmounts, writeAmounts } from './directions_state';
import { fill, shownBy, sizeUpTo, wantedPick } from './parts/drawing';
import { Slider } from './parts/fields';
import { Latest } from './parts/latest';
import { latentsOf, seedsFrom, withLabels } from './parts/picks';

/** While a slider moves the picture is drawn in this size, where the model has smaller ones than its own. */
const LIVE_SIDE = 64;
/** More of them wait behind a click. */
const SHOWN_AT_FIRST = 8;

/** Sliders that change one thing about a picture. Sources: Härkönen et al. 2020 (GANSpace), Shen & Zhou 2021 (SeFa). */
export const directions: Tool = {
  id: 'directions',
  title: 'Directions',
  hint: 'Each slider moves the picture along one direction that was found in the network itself.',
  available: (manifest) => directionsOf(manifest).length > 0,
  mount: (panel, studio) => new DirectionsView(panel, studio),
};

const STEP = 0.1;

const METHODS: Readonly<Record<Direction['method'], string>> = {
  sefa: 'from the weights (SeFa)',
  pca: 'from many samples (PCA)',
  attribute: 'from labelled samples',
};

/** What the sliders move: the picture before they do. */
interface Start {
  readonly latents: Latents;
  readonly shown: Shown;
}

class DirectionsView implements Mounted {
  readonly #studio: Studio;
  readonly #items: readonly Direction[];
  readonly #sliders = new Map<string, Slider>();
  readonly #before: Tile;
  readonly #after: Tile;
  readonly #live: Latest;
  #loaded: readonly LoadedDirection[] = [];
  #start: Start | null = null;
  #full = new AbortController();

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    this.#items = directionsOf(studio.manifest);
    this.#live = new Latest((error) => this.#start !== null && studio.fail(error));
    const open = (shown: Shown) => studio.open(shown, shownBy([this.#before, this.#after]));
    this.#before = new Tile(open);
    this.#after = new Tile(open);
    const sliders = this.#items.map((item) => this.#buildSlider(item));
    const pictures = make('div', { class: 'pair' }, this.#after.element, this.#before.element);
    const list = make('div', { class: 'sliders' }, ...sliders.slice(0, SHOWN_AT_FIRST));
    if (sliders.length > SHOWN_AT_FIRST) {
      const rest = sliders.slice(SHOWN_AT_FIRST);
      list.append(make('details', {}, make('summary', {}, `${rest.length} more directions`), ...rest));
    }
    const reset = button('All back to the middle', () => this.#write(new Map()), { class: 'quiet' });
    list.append(make('div', { class: 'toolbar' }, reset));
    panel.append(make('div', { class: 'directions' }, pictures, list));
  }

  async update(signal: AbortSignal): Promise<void> {
    this.#live.drop();
    const amounts = this.#amounts;
    for (const [name, slider] of this.#sliders) slider.value = amounts.get(name) ?? 0;
    this.#full = new AbortController();
    const either = AbortSignal.any([signal, this.#full.signal]);
    try {
      await this.#draw(amounts, either);
    } catch (error) {
      if (!this.#full.signal.aborted) throw error; // a slider moves again: what it shows is drawn already
    }
  }

  dispose(): void {
    this.#full.abort();
    this.#live.drop();
    this.#start = null;
  }

  async #draw(amounts: Amounts, signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const generator = await studio.generator();
    signal.throwIfAborted();
    this.#loaded = await generator.directions();
    const [pick] = withLabels(studio, seedsFrom(studio, 0, 1));
    const latents = await latentsOf(studio, generator, [pick!], signal);
    await fill(studio, generator, latents, [wantedPick(studio, this.#before, pick!, 'before')], signal);
    this.#start = { latents, shown: this.#before.shown! };
    await this.#show(this.#start, amounts, undefined, signal);
  }

  /** Draw the picture that the sliders say. */
  async #show(start: Start, amounts: Amounts, resolution?: number, signal?: AbortSignal): Promise<void> {
    const { latents, shown } = start;
    const moves = this.#loaded.flatMap((direction) => {
      const amount = amounts.get(direction.name) ?? 0;
      return amount === 0 ? [] : [{ direction, amount }];
    });
    const generator = await this.#studio.generator();
    const options = { ...this.#studio.drawOptions(), resolution, signal };
    const pictures = await generator.draw(moveAlong(latents, moves), options);
    signal?.throwIfAborted();
    const way = moves.map(({ direction, amount }) => `${direction.title ?? direction.name} ${signed(amount)}`).join(', ');
    const title = way === '' ? shown.title : `${shown.title}: ${way}`;
    this.#after.show({ ...shown, pictures, index: 0, title, seed: way === '' ? shown.seed : null }, way || 'not moved');
  }

  /** A slider moves: show it small and soon. When it is let go, `update` draws it in full. */
  #onInput(): void {
    const start = this.#start;
    if (start === null) return;
    this.#full.abort();
    const amounts = new Map([...this.#sliders].map(([name, slider]) => [name, slider.value]));
    this.#live.ask(() => this.#show(start, amounts, sizeUpTo(LIVE_SIDE, this.#studio.manifest)));
  }

  get #amounts(): Amounts {
    return readAmounts(this.#studio.toolState, this.#items);
  }

  #write(amounts: Amounts): void {
    this.#studio.setToolState(writeAmounts(amounts));
    this.#studio.redraw();
  }

  #set(name: string, amount: number): void {
    this.#write(new Map([...this.#amounts, [name, amount]]));
  }

  #buildSlider({ name, title, method, layers, range: [min, max], preview }: Direction): HTMLElement {
    const called = title ?? name;
    const slider = new Slider({
      label: called,
      min,
      max,
      step: STEP,
      describe: signed,
      onInput: () => this.#onInput(),
      onChange: (amount) => this.#set(name, amount),
    });
    slider.value = 0;
    slider.input.addEventListener('pointerup', () => {
      // Let go where it was: nothing has changed, but what it shows may be small.
      if (slider.value === (this.#amounts.get(name) ?? 0)) this.#studio.redraw();
    });
    this.#sliders.set(name, slider);
    const reset = button('↺', () => this.#set(name, 0), { class: 'reset', 'aria-label': `${called} back to the middle` });
    const origin = make('small', {}, [METHODS[method], layersInWords(layers)].filter(Boolean).join(', '));
    const strip = preview === null ? [] : [make('img', this.#imageOf(preview))];
    return make('div', { class: 'direction' }, slider.element, reset, ...strip, origin);
  }

  /** Its pictures along the slider; what they show is said by the picture itself. */
  #imageOf(preview: string): Record<string, string> {
    return { src: urlOf(new URL(this.#studio.url), preview).href, alt: '', loading: 'lazy' };
  }
}

function layersInWords(layers: Direction['layers']): string {
  return layers === null ? '' : `layers ${layers[0] + 1} to ${layers[1]}`;
}

function signed(amount: number): string {
  return `${amount < 0 ? '−' : amount > 0 ? '+' : ''}${Math.abs(amount).toFixed(1)}`;
}
