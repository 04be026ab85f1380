import { button, make } from '../../dom';
import type { Shown } from '../../studio';
import { Tile } from '../../tile';
import { moved } from '../morph_state';
import { makeDraggable } from './drag';

export interface KeyframesOptions<T> {
  /** So many always stay. */
  readonly fewest: number;
  readonly open: (shown: Shown) => void;
  /** Called with the new order, or with one fewer. */
  readonly onChange: (items: T[]) => void;
}

/** A row of pictures to put in order: by dragging them, or with the buttons below each. */
export class Keyframes<T> {
  readonly element = make('ol', { class: 'keyframes', 'aria-label': 'Keyframes' });
  readonly #options: KeyframesOptions<T>;
  #items: readonly T[] = [];
  #tiles: Tile[] = [];

  constructor(options: KeyframesOptions<T>) {
    this.#options = options;
  }

  /** A tile for each of these; the caller fills them. */
  show(items: readonly T[], names: readonly string[]): Tile[] {
    this.#items = items;
    if (this.#tiles.length !== items.length) {
      this.#tiles = items.map(() => new Tile(this.#options.open));
      this.element.replaceChildren(...this.#tiles.map((tile, at) => this.#build(tile, at)));
    }
    names.forEach((name, at) => this.#name(this.element.children[at]!, name));
    return this.#tiles;
  }

  #build(tile: Tile, at: number): HTMLLIElement {
    const count = this.#items.length;
    const buttons = [
      button('←', () => this.#move(at, (at + count - 1) % count, 0), { 'data-does': 'Move earlier' }),
      button('→', () => this.#move(at, (at + 1) % count, 1), { 'data-does': 'Move later' }),
      button('×', () => this.#remove(at), { 'data-does': 'Remove' }),
    ];
    const item = make('li', {}, tile.element, make('div', { class: 'order' }, ...buttons));
    makeDraggable(tile.element, {
      targets: () => [...this.element.children] as HTMLElement[],
      onDrop: (target) => this.#move(at, [...this.element.children].indexOf(target), null),
    });
    buttons[2]!.disabled = count <= this.#options.fewest;
    return item;
  }

  #name(item: Element, name: string): void {
    for (const one of item.querySelectorAll<HTMLElement>('[data-does]')) {
      one.setAttribute('aria-label', `${one.dataset['does']}: ${name}`);
    }
  }

  /** @param focus which of its buttons the keyframe that has moved gets the focus back on */
  #move(from: number, to: number, focus: number | null): void {
    if (from === to) return;
    this.#options.onChange(moved(this.#items, from, to));
    if (focus !== null) this.#focus(to, focus);
  }

  #remove(at: number): void {
    this.#options.onChange(this.#items.filter((_, i) => i !== at));
    this.#focus(Math.min(at, this.#items.length - 1), 2);
  }

  #focus(item: number, which: number): void {
    this.element.children[item]?.querySelectorAll<HTMLElement>('[data-does]')[which]?.focus();
  }
}
