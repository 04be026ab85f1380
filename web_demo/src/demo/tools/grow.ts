import './grow.css';

import type { Pictures } from '../../lib';
import { make } from '../dom';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { addedBy, enlargingTaps, inColours } from './grow_adds';
import { shownBy } from './parts/drawing';
import { latentsOf, seedsFrom, withLabels } from './parts/picks';
import { Player } from './parts/player';

/** Its part of the address where small sizes are shown as they are. */
const PLAIN = 'plain';

/** Sizes a second. */
const RATE = 1.5;

/** The picture at each size on its way through the network. Source: Karras et al. 2020 (StyleGAN2), section 4.1. */
export const grow: Tool = {
  id: 'grow',
  title: 'Grow',
  hint: 'The network paints coarse to fine: this is the same picture after each of its sizes.',
  available: ({ previews }) => previews.length > 0,
  mount: (panel, studio) => new GrowView(panel, studio),
};

class GrowView implements Mounted {
  readonly #studio: Studio;
  readonly #player: Player;
  readonly #sizes = make('div', { class: 'sizes', role: 'group', 'aria-label': 'Every size' });
  readonly #tiles: readonly Tile[];
  readonly #taps: readonly number[] | null;
  readonly #adds: readonly Tile[];
  readonly #contrast = make('input', { type: 'checkbox' });

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const { previews, spec } = studio.manifest;
    const open = (shown: Shown) => studio.open(shown, shownBy(this.#tiles));
    this.#player = new Player({ rate: RATE, open });
    this.#tiles = [...previews, spec.resolution].map(() => new Tile(open));
    this.#sizes.append(...this.#tiles.map(({ element }) => element));
    this.#contrast.addEventListener('change', () => {
      studio.setToolState(this.#contrast.checked ? '' : PLAIN);
      studio.redraw();
    });
    const contrast = make('label', { class: 'check' }, this.#contrast, 'Full contrast at every size');
    this.#taps = enlargingTaps(studio.manifest);
    this.#adds = this.#taps === null ? [] : this.#tiles.map(() => new Tile((shown) => studio.open(shown, shownBy(this.#adds))));
    const all = make('div', {}, this.#sizes, contrast);
    if (this.#adds.length > 0) {
      const adds = make('div', { class: 'adds', role: 'group', 'aria-labelledby': 'adds' });
      adds.append(...this.#adds.map(({ element }) => element));
      all.append(make('h3', { id: 'adds' }, 'What each size adds'), adds);
    }
    panel.append(make('div', { class: 'grow' }, this.#player.element, all));
  }

  async update(signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    this.#contrast.checked = studio.toolState !== PLAIN;
    const generator = await studio.generator();
    signal.throwIfAborted();
    const picks = withLabels(studio, seedsFrom(studio, 0, 1));
    const [{ seed, label }] = picks as [(typeof picks)[number]];
    const latents = await latentsOf(studio, generator, picks, signal);
    const grown = await generator.grow(latents, { ...studio.drawOptions(), signal });
    signal.throwIfAborted();
    const plain = studio.seedPicture(seed, label, grown.at(-1)!, 0);
    const shown = grown.map((pictures): Shown => {
      if (pictures === plain.pictures) return plain;
      const title = `${plain.title}, at ${pictures.width} × ${pictures.height}`;
      return { ...plain, pictures: this.#contrast.checked ? stretched(pictures) : pictures, title, seed: null };
    });
    shown.forEach((one, at) => this.#tiles[at]!.show(one, `${one.pictures.width} × ${one.pictures.height}`));
    this.#player.show(shown);
    this.#showAdds(grown, plain);
  }

  #showAdds(grown: readonly Pictures[], plain: Shown): void {
    if (this.#taps === null) return;
    const added = addedBy(grown, this.#taps);
    const most = added.reduce((most, one) => one.reduce((most, level) => Math.max(most, Math.abs(level)), most), 0);
    added.forEach((levels, at) => {
      const { width, height } = grown[at]!;
      const title = `${plain.title}: what ${width} × ${height} adds, at most ${Math.round(most)} grey levels`;
      const pictures = inColours(levels, grown[at]!, most);
      this.#adds[at]!.show({ ...plain, pictures, index: 0, title, seed: null }, `+ ${width} × ${height}`);
    });
  }

  dispose(): void {
    this.#player.dispose();
  }
}

/** The same picture from black to white: what small sizes say of it is often faint. */
function stretched(pictures: Pictures): Pictures {
  const lowest = pictures.data.reduce((least, level) => Math.min(least, level), 255);
  const highest = pictures.data.reduce((most, level) => Math.max(most, level), 0);
  const scale = 255 / Math.max(1, highest - lowest);
  return { ...pictures, data: pictures.data.map((level) => (level - lowest) * scale) };
}
