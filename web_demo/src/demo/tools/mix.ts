import './mix.css';

import { concatLatents, mixStyles, pickRows } from '../../lib/toolbox';
import { button, make } from '../dom';
import type { Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { fill, shownBy, type Wanted } from './parts/drawing';
import { seedField, Slider } from './parts/fields';
import { anySeed, latentsOf, nameOf, type Pick, readPicks, seedsFrom, withLabels, writePicks } from './parts/picks';

const COLUMNS = 4;
const ROWS = 4;

interface Mix {
  /** Where the first layers come from. */
  readonly columns: readonly Pick[];
  /** Where the others come from. */
  readonly rows: readonly Pick[];
  /** The first layer that comes from the rows. */
  readonly boundary: number;
}

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

/** The text of the state with one column first; the others follow as far as there is room. */
export function withColumn(text: string, pick: Pick): string {
  const [columns = '', ...rest] = text.split('/');
  return [writePicks([pick, ...readPicks(columns)].slice(0, COLUMNS)), ...rest].join('/');
}

/** A picture at the edge of the table, and its seed. */
class Edge {
  readonly tile: Tile;
  readonly element: HTMLTableCellElement;
  readonly #seed: HTMLInputElement;

  constructor(scope: 'col' | 'row', number: number, open: (edge: Edge) => void, onSeed: (seed: number) => void) {
    this.tile = new Tile(() => open(this));
    this.#seed = seedField(`Seed of ${scope === 'col' ? 'column' : 'row'} ${number}`, onSeed);
    this.element = make('th', { scope }, this.tile.element, this.#seed);
  }

  set seed(seed: number) {
    this.#seed.value = String(seed);
  }
}

class MixTable implements Mounted {
  readonly #studio: Studio;
  readonly #columns: readonly Edge[];
  readonly #rows: readonly Edge[];
  readonly #cells: readonly Tile[];
  readonly #boundary: Slider;
  readonly #table: HTMLTableElement;

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const open = ({ tile }: { tile: Tile }) => studio.open(tile.shown!, shownBy(this.#tiles));
    const edges = (scope: 'col' | 'row', side: 'columns' | 'rows', count: number) =>
      Array.from({ length: count }, (_, at) => new Edge(scope, at + 1, open, (seed) => this.#setSeed(side, at, seed)));
    this.#columns = edges('col', 'columns', COLUMNS);
    this.#rows = edges('row', 'rows', ROWS);
    this.#cells = Array.from({ length: COLUMNS * ROWS }, () => {
      const tile: Tile = new Tile(() => open({ tile }));
      return tile;
    });
    const layers = studio.manifest.spec.num_ws;
    this.#boundary = new Slider({
      label: 'From the columns',
      min: 1,
      max: layers - 1,
      step: 1,
      describe: (value) => `layers 1 to ${value} of ${layers}`,
      onChange: (boundary) => this.#change({ boundary }),
    });
    this.#table = this.#buildTable();
    panel.append(this.#buildToolbar(), this.#table);
  }

  async update(signal: AbortSignal): Promise<void> {
    const { columns, rows, boundary } = this.#mix;
    this.#boundary.value = boundary;
    columns.forEach(({ seed }, at) => (this.#columns[at]!.seed = seed));
    rows.forEach(({ seed }, at) => (this.#rows[at]!.seed = seed));
    await this.#draw(signal);
  }

  dispose(): void {
    this.#table.remove();
  }

  async #draw(signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const { boundary, ...picks } = this.#mix;
    const columns = withLabels(studio, picks.columns);
    const rows = withLabels(studio, picks.rows);
    const generator = await studio.generator();
    const edges = await latentsOf(studio, generator, [...columns, ...rows], signal);
    const places = this.#cells.map((_, at) => ({ row: Math.floor(at / COLUMNS), column: at % COLUMNS }));
    const coarse = pickRows(edges, places.map(({ column }) => column));
    const fine = pickRows(edges, places.map(({ row }) => COLUMNS + row));
    const mixed = mixStyles(coarse, fine, [boundary, studio.manifest.spec.num_ws]);

    const plain = (pick: Pick, { tile }: Edge): Wanted => ({
      tile,
      key: writePicks([pick]),
      shown: (pictures, index) => studio.seedPicture(pick.seed, pick.label, pictures, index),
      caption: '',
    });
    const cells = places.map(({ row, column }, at) => this.#cell(this.#cells[at]!, columns[column]!, rows[row]!, boundary));
    const wanted = [
      ...columns.map((pick, at) => plain(pick, this.#columns[at]!)),
      ...rows.map((pick, at) => plain(pick, this.#rows[at]!)),
      ...cells,
    ];
    await fill(studio, generator, concatLatents(edges, mixed), wanted, signal);
  }

  #cell(tile: Tile, column: Pick, row: Pick, boundary: number): Wanted {
    const layers = this.#studio.manifest.spec.num_ws;
    const [coarse, fine] = [nameOf(this.#studio, column), nameOf(this.#studio, row)];
    return {
      tile,
      key: `${writePicks([column, row])}/${boundary}`,
      shown: (pictures, index) => ({
        pictures,
        index,
        title: `Coarse styles of ${coarse}, fine styles of ${fine}`,
        details: `layers 1 to ${boundary} of ${coarse}, ${boundary + 1} to ${layers} of ${fine}`,
        seed: null,
        label: null,
      }),
      caption: '',
    };
  }

  get #tiles(): Tile[] {
    return [...this.#columns.map(({ tile }) => tile), ...this.#rows.map(({ tile }) => tile), ...this.#cells];
  }

  get #mix(): Mix {
    const [columns = '', rows = '', boundary = ''] = this.#studio.toolState.split('/');
    const layers = this.#studio.manifest.spec.num_ws;
    const filled = (picks: readonly Pick[], offset: number, count: number) =>
      [...picks, ...seedsFrom(this.#studio, offset, count).slice(picks.length)].slice(0, count);
    return {
      columns: filled(readPicks(columns), 0, COLUMNS),
      rows: filled(readPicks(rows), COLUMNS, ROWS),
      boundary: Math.min(Math.max(1, Math.floor(Number(boundary)) || Math.ceil(layers / 2)), layers - 1),
    };
  }

  #change(change: Partial<Mix>): void {
    const { columns, rows, boundary } = { ...this.#mix, ...change };
    this.#studio.setToolState([writePicks(columns), writePicks(rows), boundary].join('/'));
    this.#studio.redraw();
  }

  #setSeed(side: 'columns' | 'rows', at: number, seed: number): void {
    this.#change({ [side]: this.#mix[side].map((pick, i) => (i === at ? { seed, label: null } : pick)) });
  }

  #roll(side: 'columns' | 'rows'): void {
    this.#change({ [side]: this.#mix[side].map(() => ({ seed: anySeed(), label: null })) });
  }

  #reset(): void {
    this.#studio.setToolState('');
    this.#studio.redraw();
  }

  #buildToolbar(): HTMLElement {
    const buttons = [
      button('New columns', () => this.#roll('columns')),
      button('New rows', () => this.#roll('rows')),
      button('Start over', () => this.#reset()),
    ];
    return make('div', { class: 'toolbar' }, this.#boundary.element, ...buttons);
  }

  #buildTable(): HTMLTableElement {
    const rows = this.#rows.map((edge, row) => {
      const tiles = this.#cells.slice(row * COLUMNS, (row + 1) * COLUMNS);
      return make('tr', {}, edge.element, ...tiles.map(({ element }) => make('td', {}, element)));
    });
    const head = make('tr', {}, make('td'), ...this.#columns.map(({ element }) => element));
    const body = make('tbody', {}, ...rows);
    return make('table', { class: 'pictures-table mix', 'aria-label': 'Mixed pictures' }, make('thead', {}, head), body);
  }
}
