import './inside.css';

import { GanExportError } from '../../lib/errors';
import { type InsidePicture, urlOf } from '../../lib/manifest';
import { make, setChoices } from '../dom';
import type { Studio } from '../studio';
import type { Mounted, Tool } from '../tool';
import { type InsideView, layersOf, readInside, writeInside } from './inside_state';
import { nameOf } from './parts/picks';

/** What the layers make of one picture. The pictures of it lie in the bundle; nothing is drawn here. */
export const inside: Tool = {
  id: 'inside',
  title: 'Inside',
  hint: 'What the layers make of one picture, and how the last of them put it together. Blue is below zero, red above.',
  usesSettings: false,
  available: ({ inside }) => inside.length > 0,
  mount: (panel, studio) => new InsideTool(panel, studio),
};

class InsideTool implements Mounted {
  readonly #studio: Studio;
  readonly #pictures = make('select');
  readonly #layers = make('select');
  readonly #layer = new Plate();
  readonly #together = new Plate();

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    const { inside } = studio.manifest;
    setChoices(
      this.#pictures,
      inside.map((one, at) => ({ value: String(at), text: nameOf(studio, one) })),
    );
    this.#pictures.addEventListener('change', () => this.#choose({ entry: inside[Number(this.#pictures.value)]! }));
    this.#layers.addEventListener('change', () => {
      const layer = this.#view.entry.items.find(({ layer }) => layer === this.#layers.value);
      if (layer) this.#choose({ layer });
    });
    const picture = make('label', { class: 'field' }, make('span', {}, 'Picture'), this.#pictures);
    picture.hidden = inside.length < 2;
    const layer = make('label', { class: 'field' }, make('span', {}, 'Layer'), this.#layers);
    const plates = make('div', { class: 'plates' }, this.#layer.element, this.#together.element);
    panel.append(make('div', { class: 'toolbar' }, picture, layer), plates);
  }

  async update(signal: AbortSignal): Promise<void> {
    const { entry, at, layer, together } = this.#view;
    setChoices(
      this.#layers,
      layersOf(entry).map(({ layer: name }) => ({ value: name!, text: name! })),
    );
    this.#pictures.value = String(at);
    this.#layers.value = layer.layer ?? '';
    const url = new URL(this.#studio.url);
    const of = nameOf(this.#studio, entry);
    await Promise.all([
      this.#layer.show(layer, `Layer ${layer.layer} of ${of}`, url),
      this.#together.show(together, `How ${of} comes together`, url),
    ]);
    signal.throwIfAborted();
  }

  dispose(): void {}

  get #view(): InsideView {
    return readInside(this.#studio.toolState, this.#studio.manifest);
  }

  #choose(change: Partial<Pick<InsideView, 'entry' | 'layer'>>): void {
    this.#studio.setToolState(writeInside({ ...this.#view, ...change }));
    this.#studio.redraw();
  }
}

/** A picture out of the bundle with what it shows in words. */
class Plate {
  readonly #image = make('img', { alt: '' });
  readonly #caption = make('figcaption');
  readonly element = make('figure', { class: 'plate' }, this.#caption, this.#image);

  /** @param title its alternative text; what it shows is said above it */
  async show(item: InsidePicture | null, title: string, manifestUrl: URL): Promise<void> {
    this.element.hidden = item === null;
    if (item === null) return;
    const { href } = urlOf(manifestUrl, item.picture);
    this.#image.alt = title;
    this.#caption.textContent = item.text;
    if (this.#image.src !== href) this.#image.src = href;
    await this.#image.decode().catch(() => {
      if (this.#image.src === href) throw new GanExportError('network', `${href} could not be loaded`);
    });
  }
}
