import { toImageData } from '../lib';
import { make } from './dom';
import type { Shown } from './studio';

/** Pictures smaller than this are enlarged as squares, not smoothed: in grey, where edges are hard, and in colour. */
const SMOOTH_FROM = { grey: 128, colour: 32 };

/** A picture on the page: a button that keeps its place and size while it is empty. */
export class Tile {
  readonly element: HTMLButtonElement;
  readonly #canvas = make('canvas');
  readonly #caption = make('span', { class: 'caption' });
  #shown: Shown | null = null;

  /** @param onChoose called with what is shown when it is clicked, or Enter is pressed on it */
  constructor(onChoose: (shown: Shown) => void) {
    this.element = make('button', { type: 'button', class: 'tile', disabled: true }, this.#canvas, this.#caption);
    this.element.addEventListener('click', () => this.#shown && onChoose(this.#shown));
  }

  get shown(): Shown | null {
    return this.#shown;
  }

  /** @param caption what stands on it; its title when left out */
  show(shown: Shown, caption = shown.title): void {
    this.#shown = shown;
    paint(this.#canvas, shown);
    this.#caption.textContent = caption;
    const named = shown.title.toLowerCase().includes(caption.toLowerCase());
    this.element.setAttribute('aria-label', named ? shown.title : `${caption}: ${shown.title}`); // what is seen is in the name
    this.element.disabled = false;
  }
}

/** Whether a picture is enlarged as squares. */
export function isPixelated(width: number, channels: number): boolean {
  return width < (channels === 1 ? SMOOTH_FROM.grey : SMOOTH_FROM.colour);
}

/** Draw a picture into a canvas. */
export function paint(canvas: HTMLCanvasElement, { pictures, index }: Pick<Shown, 'pictures' | 'index'>): void {
  canvas.width = pictures.width;
  canvas.height = pictures.height;
  canvas.classList.toggle('pixelated', isPixelated(pictures.width, pictures.channels));
  canvas.getContext('2d')?.putImageData(toImageData(pictures, index), 0, 0);
}
