import './arithmetic.css';

import type { Pictures } from '../../lib';
import { arithmetic as sumOf, concatLatents, pickRows } from '../../lib/toolbox';
import { button, make } from '../dom';
import type { Shown, Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { MOST_BROUGHT, readSum, WELLS, writeSum } from './arithmetic_state';
import { fill, shownBy, type Wanted, wantedPick } from './parts/drawing';
import { latentsOf, nameOf, type Pick, seedsFrom, withLabels, writePicks } from './parts/picks';
import { Tray } from './parts/tray';

const TRAY = 8;
const SIGNS = ['', '−', '+'] as const;

/** Pictures as numbers. Source: Radford et al. 2016 (DCGAN), section 6.3.2. */
export const arithmetic: Tool = {
  id: 'arithmetic',
  title: 'Arithmetic',
  hint: 'Take from one picture what another has and give it what a third has: a − b + c, reckoned with their latents.',
  available: () => true,
  mount: (panel, studio) => new ArithmeticView(panel, studio),
  collect: {
    title: 'Use in arithmetic',
    into: (toolState, { seed, label }) => {
      const sum = readSum(toolState);
      if (seed === null) return null;
      return writeSum({ ...sum, brought: [{ seed, label }, ...sum.brought].slice(0, MOST_BROUGHT) });
    },
  },
};

class ArithmeticView implements Mounted {
  readonly #studio: Studio;
  readonly #tray = new Tray<Pick>();
  readonly #wells: readonly Tile[];
  readonly #result: Tile;
  readonly #sum = make('div', { class: 'sum', role: 'group', 'aria-label': 'a − b + c' });

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const open = (shown: Shown) => studio.open(shown, shownBy([...this.#wells, this.#result]));
    this.#wells = WELLS.map((_, at) => this.#buildWell(at, open));
    this.#result = new Tile(open);
    this.#result.element.classList.add('result');
    this.#sum.append(make('span', { class: 'sign' }, '='), this.#result.element);
    const how = make('p', { class: 'how' }, 'Drag a picture to a, b or c. Or choose it here, then choose its place.');
    const startOver = button('Start over', () => this.#write(''), { class: 'quiet' });
    panel.append(this.#sum, how, this.#tray.element, make('div', { class: 'toolbar' }, startOver));
  }

  async update(signal: AbortSignal): Promise<void> {
    const studio = this.#studio;
    const wells = this.#inWells;
    const tray = this.#inTray;
    const tiles = this.#tray.show(tray);
    const generator = await studio.generator();
    const latents = await latentsOf(studio, generator, [...wells, ...tray], signal);
    const [a, b, c] = WELLS.map((_, at) => pickRows(latents, [at]));
    const wanted = [
      ...wells.map((pick, at) => wantedPick(studio, this.#wells[at]!, pick, WELLS[at]!)),
      ...tray.map((pick, at) => wantedPick(studio, tiles[at]!, pick, String(pick.seed))),
      this.#wantedSum(wells),
    ];
    await fill(studio, generator, concatLatents(latents, sumOf(a!, b!, c!)), wanted, signal);
    this.#wells.forEach(({ element, shown }, at) => element.setAttribute('aria-label', `${WELLS[at]}: ${shown!.title}`));
  }

  dispose(): void {
    this.#sum.remove();
  }

  #wantedSum(wells: readonly Pick[]): Wanted {
    const title = wells.map((pick, at) => `${SIGNS[at]} ${nameOf(this.#studio, pick)}`.trim()).join(' ');
    const shown = (pictures: Pictures, index: number) => ({ pictures, index, title, seed: null, label: null });
    return { tile: this.#result, key: writePicks(wells), shown, caption: 'result' };
  }

  /** The pictures that are there of themselves; the first of them are in the wells as long as nothing else is. */
  get #fromSettings(): Pick[] {
    return withLabels(this.#studio, seedsFrom(this.#studio, 0, TRAY));
  }

  get #inWells(): Pick[] {
    const { wells } = readSum(this.#studio.toolState);
    return withLabels(this.#studio, [...wells, ...this.#fromSettings.slice(wells.length)].slice(0, WELLS.length));
  }

  get #inTray(): Pick[] {
    const { brought } = readSum(this.#studio.toolState);
    return [...withLabels(this.#studio, brought), ...this.#fromSettings];
  }

  #put(at: number, pick: Pick): void {
    const wells = this.#inWells.map((one, i) => (i === at ? pick : one));
    this.#write(writeSum({ ...readSum(this.#studio.toolState), wells }));
  }

  #write(text: string): void {
    this.#studio.setToolState(text);
    this.#studio.redraw();
  }

  #buildWell(at: number, open: (shown: Shown) => void): Tile {
    const place = make('div', { class: 'well' });
    const tile = new Tile((shown) => this.#tray.place(place) || open(shown));
    place.append(tile.element);
    this.#tray.accept(place, (pick) => this.#put(at, pick));
    if (SIGNS[at] !== '') this.#sum.append(make('span', { class: 'sign' }, SIGNS[at]!));
    this.#sum.append(place);
    return tile;
  }
}
