import { type Pictures, toImageData } from '../lib';
import { byId } from './dom';

/** What is known of a picture of the grid. */
export interface Drawn {
  readonly pictures: Pictures;
  /** Which of `pictures` it is. */
  readonly index: number;
  readonly seed: number;
  /** Name of its class; null without classes. */
  readonly label: string | null;
}

/** The pictures: a button each. */
export class Grid {
  readonly #root = byId('grid', HTMLDivElement);
  readonly #tiles: HTMLButtonElement[] = [];
  readonly #drawn = new Map<HTMLButtonElement, Drawn>();

  constructor(count: number, onChoose: (drawn: Drawn) => void) {
    for (let i = 0; i < count; i++) {
      const tile = document.createElement('button');
      tile.type = 'button';
      tile.disabled = true;
      tile.append(document.createElement('canvas'), document.createElement('span'));
      tile.addEventListener('click', () => {
        const drawn = this.#drawn.get(tile);
        if (drawn) onChoose(drawn);
      });
      this.#tiles.push(tile);
    }
    this.#root.replaceChildren(...this.#tiles);
  }

  /** Say that new pictures are on their way. */
  set busy(busy: boolean) {
    this.#root.setAttribute('aria-busy', String(busy));
  }

  show(position: number, drawn: Drawn): void {
    const tile = this.#tiles[position];
    const canvas = tile?.querySelector('canvas');
    if (!tile || !canvas) return;
    paint(canvas, drawn);
    tile.disabled = false;
    tile.setAttribute('aria-label', titleOf(drawn));
    tile.querySelector('span')!.textContent = String(drawn.seed);
    this.#drawn.set(tile, drawn);
  }
}

/** Draw a picture into a canvas; few pixels stay square when they are enlarged. */
export function paint(canvas: HTMLCanvasElement, { pictures, index }: Drawn): void {
  canvas.width = pictures.width;
  canvas.height = pictures.height;
  canvas.classList.toggle('pixelated', pictures.width <= 64);
  canvas.getContext('2d')?.putImageData(toImageData(pictures, index), 0, 0);
}

/** A picture in words. */
export function titleOf({ seed, label }: Drawn): string {
  return label === null ? `Seed ${seed}` : `Seed ${seed}, class ${label}`;
}
