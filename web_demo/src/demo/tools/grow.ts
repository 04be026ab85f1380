import './grow.css';

import { make } from '../dom';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { shownBy } from './parts/drawing';
import { latentsOf, seedsFrom, withLabels } from './parts/picks';
import { Player } from './parts/player';

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

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const { previews, spec } = studio.manifest;
    const open = (shown: Shown) => studio.open(shown, shownBy(this.#tiles));
    this.#player = new Player({ rate: RATE, open });
    this.#tiles = [...previews, spec.resolution].map(() => new Tile(open));
    this.#sizes.append(...this.#tiles.map(({ element }) => element));
    panel.append(make('div', { class: 'grow' }, this.#player.element, this.#sizes));
  }

  async update(signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const generator = await studio.generator();
    signal.throwIfAborted();
    const picks = withLabels(studio, seedsFrom(studio, 0, 1));
    const [{ seed, label }] = picks as [(typeof picks)[number]];
    const latents = await latentsOf(studio, generator, picks, signal);
    const grown = await generator.grow(latents, { ...studio.drawOptions(), signal });
    signal.throwIfAborted();
    const plain = studio.seedPicture(seed, label, grown.at(-1)!, 0);
    const shown = grown.map((pictures): Shown => {
      const size = `${pictures.width} × ${pictures.height}`;
      return pictures === plain.pictures ? plain : { ...plain, pictures, title: `${plain.title}, at ${size}`, seed: null };
    });
    shown.forEach((one, at) => this.#tiles[at]!.show(one, `${one.pictures.width} × ${one.pictures.height}`));
    this.#player.show(shown);
  }

  dispose(): void {
    this.#player.dispose();
  }
}
