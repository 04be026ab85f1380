import './pad.css';

import type { Pictures } from '../../../lib';
import type { Picture } from '../../../lib/fit';
import { make } from '../../dom';
import { paint } from '../../tile';
import { placed } from './placed';

const SIDE = 280;
const PEN = SIDE / 12;

export interface PadOptions {
  /** While something is drawn. */
  readonly onStroke: () => void;
  /** When the pen is lifted. */
  readonly onLift: () => void;
}

/** A canvas to draw on with a mouse, a pen or a finger: light on dark. It also shows pictures, which a stroke wipes away. */
export class Pad {
  readonly element = make('canvas', { class: 'pad', width: SIDE, height: SIDE, role: 'img', 'aria-label': 'To draw on' });
  readonly #context = this.element.getContext('2d', { willReadFrequently: true })!;
  readonly #options: PadOptions;
  /** Whether what it shows was drawn here. */
  #isDrawing = false;

  constructor(options: PadOptions) {
    this.#options = options;
    this.element.addEventListener('pointerdown', (event) => this.#begin(event));
    this.clear();
  }

  /** What was drawn, centred and of one size; null where nothing is. */
  get drawing(): Picture | null {
    if (!this.#isDrawing) return null;
    const { data } = this.#context.getImageData(0, 0, SIDE, SIDE);
    const levels = Uint8Array.from({ length: SIDE * SIDE }, (_, pixel) => data[pixel * 4]!);
    return placed({ data: levels, width: SIDE, height: SIDE });
  }

  clear(): void {
    this.#isDrawing = false;
    this.#context.fillStyle = '#000';
    this.#context.fillRect(0, 0, SIDE, SIDE);
  }

  /** Show a picture that came from elsewhere. */
  show(pictures: Pictures, index: number): void {
    const small = make('canvas');
    paint(small, { pictures, index });
    this.#isDrawing = false;
    this.#context.imageSmoothingEnabled = false;
    this.#context.drawImage(small, 0, 0, SIDE, SIDE);
  }

  #begin(down: PointerEvent): void {
    if (down.button !== 0 || !down.isPrimary) return;
    down.preventDefault();
    if (!this.#isDrawing) this.clear();
    this.#isDrawing = true;
    const listening = new AbortController();
    const { signal } = listening;
    const context = this.#context;
    Object.assign(context, { lineWidth: PEN, lineCap: 'round', lineJoin: 'round', strokeStyle: '#fff' });
    let [x, y] = this.#placeOf(down);
    const draw = (event: PointerEvent) => {
      context.beginPath();
      context.moveTo(x, y);
      [x, y] = this.#placeOf(event);
      context.lineTo(x, y + 0.01); // a dot, where it stays
      context.stroke();
      this.#options.onStroke();
    };
    const lift = (event: PointerEvent) => {
      if (event.pointerId !== down.pointerId) return;
      listening.abort();
      this.#options.onLift();
    };
    const move = (event: PointerEvent) => {
      if (event.pointerId !== down.pointerId) return;
      const between = event.getCoalescedEvents?.() ?? []; // Safari before 18.2 has none
      for (const one of between.length > 0 ? between : [event]) draw(one);
    };
    addEventListener('pointermove', move, { signal });
    addEventListener('pointerup', lift, { signal });
    addEventListener('pointercancel', lift, { signal });
    draw(down);
  }

  #placeOf({ clientX, clientY }: PointerEvent): [number, number] {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    return [((clientX - left) * SIDE) / width, ((clientY - top) * SIDE) / height];
  }
}
