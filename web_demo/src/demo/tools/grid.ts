import { urlOf } from '../../lib/manifest';
import { button, make } from '../dom';
import { LARGEST_SEED } from '../state';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import { runtimeTitle } from '../titles';
import type { Mounted, Tool } from '../tool';
import './grid.css';

/** Pictures at a time: small ones all at once, large ones one by one so that each is seen as soon as it is there. */
const PIXELS_AT_ONCE = 24 * 64 * 64;
const SMALL = { page: 24, columns: 6 };
const LARGE = { page: 12, columns: 4 };
const MOST_PICTURES = 240;

interface Layout {
  /** Rows of one class each, with the same seeds; else seed after seed. */
  readonly byClass: boolean;
  readonly count: number;
}

interface Cell {
  readonly seed: number;
  readonly label: number | null;
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
  /** What each tile shows, so that only what has changed is drawn anew. */
  #tiles: { readonly tile: Tile; key: string }[] = [];

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

  async #draw(cells: readonly Cell[], signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const { psi, cutoff, noise } = studio.settings;
    const keys = cells.map((cell) => JSON.stringify([cell, psi, cutoff, noise, studio.runtime]));
    const missing = cells.map((_, at) => at).filter((at) => this.#tiles[at]!.key !== keys[at]);
    const generator = await studio.generator();
    signal.throwIfAborted();
    const start = performance.now();
    const step = Math.max(1, Math.floor(PIXELS_AT_ONCE / studio.manifest.spec.resolution ** 2));
    for (let first = 0; first < missing.length; first += step) {
      const positions = missing.slice(first, first + step);
      const seeds = positions.map((at) => cells[at]!.seed);
      const labels = positions.flatMap((at) => cells[at]!.label ?? []);
      const pictures = await generator.generate({
        ...studio.latentOptions(seeds),
        ...studio.drawOptions(),
        label: labels.length > 0 ? labels : undefined,
        signal,
      });
      signal.throwIfAborted();
      this.#poster.hidden = true;
      positions.forEach((at, index) => {
        const { seed, label } = cells[at]!;
        this.#tiles[at]!.tile.show(studio.seedPicture(seed, label, pictures, index), String(seed));
        this.#tiles[at]!.key = keys[at]!;
      });
    }
    if (missing.length === 0) return;
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    const { runtime, runtimeVersion: version } = generator;
    studio.say(`${missing.length} pictures in ${seconds} s on ${runtimeTitle(runtime)}, version ${version}`);
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
      const tile = new Tile((shown) => this.#studio.open(shown, this.#shown()));
      this.#tiles.push({ tile, key: '' });
    }
    this.#tiles = this.#tiles.slice(0, count);
    this.#grid.replaceChildren(this.#poster, ...this.#tiles.map(({ tile }) => tile.element));
  }

  #shown(): Shown[] {
    return this.#tiles.flatMap(({ tile }) => tile.shown ?? []);
  }

  #cells(): Cell[] {
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
