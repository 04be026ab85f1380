import type { Pictures } from '../../lib';
import { urlOf } from '../../lib/manifest';
import { button, make } from '../dom';
import { LARGEST_SEED } from '../state';
import type { Studio } from '../studio';
import { Tile } from '../tile';
import { runtimeTitle } from '../titles';
import type { Mounted, Tool } from '../tool';
import { fill, shownBy } from './parts/drawing';
import { latentsOf, type Pick, writePicks } from './parts/picks';
import './grid.css';

const SMALL = { page: 24, columns: 6 };
const LARGE = { page: 12, columns: 4 };
const MOST_PICTURES = 240;

interface Layout {
  /** Rows of one class each, with the same seeds; else seed after seed. */
  readonly byClass: boolean;
  readonly count: number;
}

/** Fresh pictures, seed after seed or class by class. */
export const grid: Tool = {
  id: 'grid',
  title: 'Pictures',
  hint: 'Each seed is a picture that nobody has seen before. Choose one to look closer, or roll the dice.',
  available: () => true,
  mount: (panel, studio) => new GridView(panel, studio),
};

class GridView implements Mounted {
  readonly #grid = make('div', { id: 'grid', 'aria-busy': 'true' });
  readonly #poster = make('div', { class: 'poster' });
  readonly #more = button('More pictures', () => this.#change({ count: this.#layout.count + this.#size.page }));
  readonly #byClass = make('input', { type: 'checkbox', name: 'by-class' });
  readonly #studio: Studio;
  #tiles: Tile[] = [];

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const { resolution, c_dim: classes } = studio.manifest.spec;
    this.#grid.classList.toggle('large', resolution > 64);
    this.#byClass.addEventListener('change', () => {
      const byClass = this.#byClass.checked;
      this.#change({ byClass, count: byClass ? this.#size.columns * classes : this.#size.page });
    });
    const choice = make('label', { class: 'check' }, this.#byClass, 'A row for each class');
    this.#showPoster();
    panel.append(this.#grid, make('div', { class: 'toolbar' }, this.#more, ...(classes > 1 ? [choice] : [])));
  }

  async update(signal: AbortSignal): Promise<void> {
    const cells = this.#cells();
    this.#byClass.checked = this.#layout.byClass;
    this.#grid.classList.toggle('by-class', this.#layout.byClass);
    this.#more.hidden = this.#layout.byClass || cells.length >= MOST_PICTURES;
    this.#resize(cells.length);
    this.#grid.setAttribute('aria-busy', 'true');
    try {
      await this.#draw(cells, signal);
    } finally {
      if (!signal.aborted) this.#grid.setAttribute('aria-busy', 'false');
    }
  }

  dispose(): void {
    this.#tiles = [];
  }

  async #draw(cells: readonly Pick[], signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const generator = await studio.generator();
    signal.throwIfAborted();
    const start = performance.now();
    const latents = await latentsOf(studio, generator, cells, signal);
    const wanted = cells.map((cell, at) => ({
      tile: this.#tiles[at]!,
      key: writePicks([cell]),
      shown: (pictures: Pictures, index: number) => {
        this.#poster.hidden = true;
        return studio.seedPicture(cell.seed, cell.label, pictures, index);
      },
      caption: String(cell.seed),
    }));
    const drawn = await fill(studio, generator, latents, wanted, signal);
    if (drawn === 0) return;
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const { runtime, runtimeVersion: version } = generator;
    studio.say(`${drawn} pictures in ${seconds} s on ${runtimeTitle(runtime)}, version ${version}`);
  }

  /** Something to look at while the weights are on their way. */
  #showPoster(): void {
    const { manifest, url } = this.#studio;
    if (manifest.preview === null) return;
    this.#poster.append(make('img', { src: urlOf(new URL(url), manifest.preview).href, alt: '' }));
  }

  /** As many tiles as there are pictures; those that stay keep what they show until it is replaced. */
  #resize(count: number): void {
    while (this.#tiles.length < count) {
      this.#tiles.push(new Tile((shown) => this.#studio.open(shown, shownBy(this.#tiles))));
    }
    this.#tiles = this.#tiles.slice(0, count);
    this.#grid.replaceChildren(this.#poster, ...this.#tiles.map(({ element }) => element));
  }

  #cells(): Pick[] {
    const { seed } = this.#studio.settings;
    const { byClass, count } = this.#layout;
    const { columns } = this.#size;
    return Array.from({ length: count }, (_, at) => ({
      seed: (seed + (byClass ? at % columns : at)) % (LARGEST_SEED + 1),
      label: byClass ? Math.floor(at / columns) : this.#studio.labelAt(at),
    }));
  }

  get #size(): typeof SMALL {
    return this.#studio.manifest.spec.resolution > 64 ? LARGE : SMALL;
  }

  get #layout(): Layout {
    const text = this.#studio.toolState;
    const { c_dim: classes } = this.#studio.manifest.spec;
    const byClass = text === 'classes' && classes > 1;
    const most = byClass ? Math.min(classes, Math.floor(MOST_PICTURES / this.#size.columns)) * this.#size.columns : MOST_PICTURES;
    const count = byClass ? most : Number(text) || this.#size.page;
    return { byClass, count: Math.min(Math.max(1, Math.floor(count)), most) };
  }

  #change(change: Partial<Layout>): void {
    const { byClass, count } = { ...this.#layout, ...change };
    this.#studio.setToolState(byClass ? 'classes' : count === this.#size.page ? '' : String(count));
    this.#studio.redraw();
  }
}
