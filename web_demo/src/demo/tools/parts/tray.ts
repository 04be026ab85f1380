import { make } from '../../dom';
import { Tile } from '../../tile';
import { makeDraggable } from './drag';

/** Pictures to take one of: by dragging it to a place, or by choosing it and then the place. */
export class Tray<T> {
  readonly element = make('div', { class: 'tray', role: 'group', 'aria-label': 'Pictures to choose from' });
  readonly #places = new Map<HTMLElement, (item: T) => void>();
  #items: readonly T[] = [];
  #tiles: Tile[] = [];
  #chosen: number | null = null;

  /** A place for one of the pictures. */
  accept(place: HTMLElement, put: (item: T) => void): void {
    this.#places.set(place, put);
  }

  /** A tile for each of these; the caller fills them. */
  show(items: readonly T[]): Tile[] {
    this.#items = items;
    if (this.#tiles.length !== items.length) {
      this.#tiles = items.map((_, at) => this.#build(at));
      this.element.replaceChildren(...this.#tiles.map(({ element }) => element));
      this.#choose(null);
    }
    return this.#tiles;
  }

  /** Put the picture that is chosen into a place. Returns whether one was. */
  place(place: HTMLElement): boolean {
    const item = this.#chosen === null ? undefined : this.#items[this.#chosen];
    if (item === undefined) return false;
    this.#choose(null);
    this.#places.get(place)?.(item);
    return true;
  }

  #build(at: number): Tile {
    const tile = new Tile(() => this.#choose(this.#chosen === at ? null : at));
    makeDraggable(tile.element, {
      targets: () => [...this.#places.keys()],
      onDrop: (place) => this.#places.get(place)?.(this.#items[at]!),
    });
    return tile;
  }

  #choose(chosen: number | null): void {
    this.#chosen = chosen;
    this.#tiles.forEach(({ element }, at) => element.setAttribute('aria-pressed', String(at === chosen)));
    for (const place of this.#places.keys()) place.classList.toggle('waiting', chosen !== null);
  }
}
