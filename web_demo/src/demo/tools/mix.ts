import './mix.css';

import type { Pictures } from '../../lib';
import { concatLatents, mixStyles, pickRows } from '../../lib/toolbox';
import { button, make } from '../dom';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { EDGE, type Mix, readMix, withColumn, writeMix } from './mix_state';
import { fill, shownBy, type Wanted, wantedPick } from './parts/drawing';
import { seedField, Slider } from './parts/fields';
import { anySeed, latentsOf, nameOf, type Pick, seedsFrom, withLabels, writePicks } from './parts/picks';

type SideName = 'columns' | 'rows';

/** Style mixing: a table of pictures between pictures. Source: Karras et al. 2019 (StyleGAN), section 3.1. */
export const mix: Tool = {
  id: 'mix',
  title: 'Mix',
  hint: 'Each picture has the coarse styles of the one above its column and the fine styles of the one beside its row.',
  available: ({ spec }) => spec.num_ws > 1,
  mount: (panel, studio) => new MixTable(panel, studio),
  collect: {
    title: 'Mix its coarse styles',
    into: (toolState, { seed, label }) => (seed === null ? null : withColumn(toolState, { seed, label })),
  },
};

/** The pictures at one side of the table, and the fields of their seeds. */
class Side {
  readonly tiles: readonly Tile[];
  readonly element: HTMLElement;
  readonly #fields: readonly HTMLInputElement[];

  constructor(
    name: SideName,
    open: (shown: Shown) => void,
    onSeed: (at: number, seed: number) => void,
    onRoll: () => void,
  ) {
    this.tiles = Array.from({ length: EDGE }, () => new Tile(open));
    const one = name === 'columns' ? 'column' : 'row';
    this.#fields = this.tiles.map((_, at) => seedField(`Seed of ${one} ${at + 1}`, (seed) => onSeed(at, seed)));
    const title = make('span', {}, name === 'columns' ? 'Coarse: columns' : 'Fine: rows');
    const row = make('div', { class: 'row' }, ...this.#fields, button('New', onRoll, { 'aria-label': `New ${name}` }));
    this.element = make('div', { class: 'field' }, title, row);
  }

  show(picks: readonly Pick[]): void {
    picks.forEach(({ seed }, at) => (this.#fields[at]!.value = String(seed)));
  }
}

class MixTable implements Mounted {
  readonly #studio: Studio;
  readonly #sides: Readonly<Record<SideName, Side>>;
  readonly #cells: readonly Tile[];
  readonly #boundary: Slider;

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const open = (shown: Shown) => studio.open(shown, shownBy([...columns.tiles, ...rows.tiles, ...this.#cells]));
    const side = (name: SideName) => {
      return new Side(name, open, (at, seed) => this.#setSeed(name, at, seed), () => this.#roll(name));
    };
    const [columns, rows] = [side('columns'), side('rows')];
    this.#sides = { columns, rows };
    this.#cells = Array.from({ length: EDGE * EDGE }, () => new Tile(open));
    this.#boundary = new Slider({
      label: 'Coarse layers',
      min: 1,
      max: this.#layers - 1,
      step: 1,
      describe: (value) => `1 to ${value} of ${this.#layers}`,
      onChange: (boundary) => this.#change({ boundary }),
    });
    const startOver = button('Start over', () => this.#write(''), { class: 'quiet' });
    const fields = make('div', { class: 'fields' }, columns.element, rows.element, this.#boundary.element, startOver);
    panel.append(make('div', { class: 'mix' }, this.#buildTable(), fields));
  }

  async update(signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const { boundary, columns, rows } = this.#mix;
    this.#boundary.value = boundary;
    this.#sides.columns.show(columns);
    this.#sides.rows.show(rows);

    const generator = await studio.generator();
    const edges = await latentsOf(studio, generator, [...columns, ...rows], signal);
    const places = this.#cells.map((_, at) => ({ row: Math.floor(at / EDGE), column: at % EDGE }));
    const coarse = pickRows(edges, places.map(({ column }) => column));
    const fine = pickRows(edges, places.map(({ row }) => EDGE + row));
    const mixed = mixStyles(coarse, fine, [boundary, this.#layers]);
    const wanted = [
      ...columns.map((pick, at) => wantedPick(studio, this.#sides.columns.tiles[at]!, pick, String(pick.seed))),
      ...rows.map((pick, at) => wantedPick(studio, this.#sides.rows.tiles[at]!, pick, String(pick.seed))),
      ...places.map(({ row, column }, at) => this.#mixed(this.#cells[at]!, columns[column]!, rows[row]!, boundary)),
    ];
    await fill(studio, generator, concatLatents(edges, mixed), wanted, signal);
  }

  dispose(): void {
    // nothing runs or is held when no update does
  }

  #mixed(tile: Tile, column: Pick, row: Pick, boundary: number): Wanted {
    const [coarse, fine] = [nameOf(this.#studio, column), nameOf(this.#studio, row)];
    const title = `Coarse styles of ${coarse}, fine styles of ${fine}`;
    const details = `layers 1 to ${boundary} of ${coarse}, ${boundary + 1} to ${this.#layers} of ${fine}`;
    const shown = (pictures: Pictures, index: number) => ({ pictures, index, title, details, seed: null, label: null });
    return { tile, key: `${writePicks([column, row])}/${boundary}`, shown, caption: '' };
  }

  get #layers(): number {
    return this.#studio.manifest.spec.num_ws;
  }

  /** The state, with every seed and class. */
  get #mix(): Mix {
    const { columns, rows, boundary } = readMix(this.#studio.toolState, this.#layers);
    const filled = (picks: readonly Pick[], offset: number) => {
      return withLabels(this.#studio, [...picks, ...seedsFrom(this.#studio, offset, EDGE).slice(picks.length)]);
    };
    return { columns: filled(columns, 0), rows: filled(rows, EDGE), boundary };
  }

  #change(change: Partial<Mix>): void {
    this.#write(writeMix({ ...this.#mix, ...change }));
  }

  #write(text: string): void {
    this.#studio.setToolState(text);
    this.#studio.redraw();
  }

  #setSeed(side: SideName, at: number, seed: number): void {
    this.#change({ [side]: this.#mix[side].map((pick, i) => (i === at ? { ...pick, seed } : pick)) });
  }

  #roll(side: SideName): void {
    this.#change({ [side]: this.#mix[side].map((pick) => ({ ...pick, seed: anySeed() })) });
  }

  #buildTable(): HTMLTableElement {
    const { columns, rows } = this.#sides;
    const heads = columns.tiles.map(({ element }) => make('th', { scope: 'col' }, element));
    const lines = rows.tiles.map(({ element: head }, row) => {
      const cells = this.#cells.slice(row * EDGE, (row + 1) * EDGE).map(({ element }) => make('td', {}, element));
      return make('tr', {}, make('th', { scope: 'row' }, head), ...cells);
    });
    const first = make('thead', {}, make('tr', {}, make('td'), ...heads));
    return make('table', { 'aria-label': 'Mixed pictures' }, first, make('tbody', {}, ...lines));
  }
}
