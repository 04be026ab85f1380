import './sweep.css';

import type { Pictures } from '../../lib';
import { button, make, setChoices } from '../dom';
import type { Studio } from '../studio';
import { Tile } from '../tile';
import type { Mounted, Tool } from '../tool';
import { fill, shownBy } from './parts/drawing';
import { newId } from './parts/fields';
import { modesOf, MOST_CLASSES, type Plan, planOf, readSweep, SPANS, type Sweep, writeSweep } from './sweep_plans';

/** What one thing does: the class of a picture, or one number of its z, and nothing else. */
export const sweep: Tool = {
  id: 'sweep',
  title: 'Sweep',
  hint: 'One thing changes from picture to picture, everything else stays: the class, or one number of the latent.',
  available: () => true,
  mount: (panel, studio) => new SweepView(panel, studio),
};

class SweepView implements Mounted {
  readonly #studio: Studio;
  readonly #modes = make('div', { class: 'chips', role: 'radiogroup', 'aria-label': 'What changes' });
  readonly #coordinate = make('input', { type: 'number', inputmode: 'numeric', min: 0, step: 1, required: true });
  readonly #span = make('select');
  readonly #ofZ: HTMLElement;
  readonly #ofClasses: HTMLElement;
  readonly #pictures = make('div', { class: 'sweep' });
  #tiles: Tile[] = [];
  #laidOut = '';

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    this.#buildModes();
    this.#ofZ = this.#buildOfZ();
    this.#ofClasses = this.#buildOfClasses();
    panel.append(this.#modes, this.#ofZ, this.#ofClasses, this.#pictures);
  }

  async update(signal: AbortSignal): Promise<void> {
    const { mode, coordinate, span } = this.#sweep;
    const chosen = this.#modes.querySelector<HTMLInputElement>(`input[value="${mode}"]`);
    if (chosen) chosen.checked = true;
    this.#ofZ.hidden = mode !== 'z';
    this.#ofClasses.hidden = mode === 'z' || this.#studio.manifest.spec.c_dim <= MOST_CLASSES;
    this.#coordinate.value = String(coordinate);
    this.#span.value = String(span);
    await this.#draw(signal);
  }

  dispose(): void {
    this.#tiles = [];
  }

  async #draw(signal: AbortSignal): Promise<void> {
    const generator = await this.#studio.generator();
    signal.throwIfAborted();
    const plan = await planOf(this.#studio, generator, this.#sweep, signal);
    signal.throwIfAborted();
    this.#layOut(plan);
    const wanted = plan.pictures.map(({ key, ...known }, at) => ({
      tile: this.#tiles[at]!,
      key,
      shown: (pictures: Pictures, index: number) => ({ pictures, index, ...known }),
      caption: plan.columns[at % plan.columns.length]!,
    }));
    await fill(this.#studio, generator, plan.latents, wanted, signal);
  }

  /** A group of tiles for each row; they stay while their number does. */
  #layOut({ rows, columns }: Plan): void {
    const layout = `${rows.length}/${columns.length}`;
    if (layout !== this.#laidOut) {
      const open = (tile: Tile) => this.#studio.open(tile.shown!, shownBy(this.#tiles));
      this.#tiles = Array.from({ length: rows.length * columns.length }, () => {
        const tile: Tile = new Tile(() => open(tile));
        return tile;
      });
      const groups = rows.map((_, row) => {
        const tiles = this.#tiles.slice(row * columns.length, (row + 1) * columns.length);
        return make('div', { role: 'group' }, ...tiles.map(({ element }) => element));
      });
      this.#pictures.replaceChildren(...groups);
      this.#pictures.classList.toggle('in-rows', rows.length > 1);
      this.#pictures.style.setProperty('--columns', String(columns.length));
      this.#laidOut = layout;
    }
    rows.forEach((name, row) => this.#pictures.children[row]!.setAttribute('aria-label', name));
  }

  get #sweep(): Sweep {
    return readSweep(this.#studio.toolState, this.#studio.manifest);
  }

  #change(change: Partial<Sweep>): void {
    this.#studio.setToolState(writeSweep({ ...this.#sweep, ...change }));
    this.#studio.redraw();
  }

  #buildModes(): void {
    const modes = modesOf(this.#studio.manifest);
    const name = newId('mode');
    for (const { id, title } of modes) {
      const input = make('input', { type: 'radio', name, value: id });
      input.addEventListener('change', () => this.#change({ mode: id }));
      this.#modes.append(make('label', { class: 'chip' }, input, make('span', {}, title)));
    }
    this.#modes.hidden = modes.length === 1;
  }

  #buildOfZ(): HTMLElement {
    const size = this.#studio.manifest.spec.z_dim;
    this.#coordinate.max = String(size - 1);
    this.#coordinate.addEventListener('change', () => {
      if (this.#coordinate.checkValidity()) this.#change({ coordinate: this.#coordinate.valueAsNumber });
    });
    setChoices(
      this.#span,
      SPANS.map((span) => ({ value: String(span), text: `−${span} to ${span}` })),
    );
    this.#span.addEventListener('change', () => this.#change({ span: Number(this.#span.value) }));
    return make(
      'div',
      { class: 'toolbar' },
      make('label', { class: 'field' }, make('span', {}, `Which number, 0 to ${size - 1}`), this.#coordinate),
      make('label', { class: 'field' }, make('span', {}, 'Its values'), this.#span),
      button('Next number', () => this.#change({ coordinate: (this.#sweep.coordinate + 1) % size })),
    );
  }

  #buildOfClasses(): HTMLElement {
    const by = (step: number) => this.#change({ first: Math.max(0, this.#sweep.first + step) });
    const buttons = [button('Classes before', () => by(-MOST_CLASSES)), button('More classes', () => by(MOST_CLASSES))];
    return make('div', { class: 'toolbar' }, ...buttons);
  }
}
