import './player.css';

import { button, make } from '../../dom';
import type { Shown } from '../../studio';
import { Tile } from '../../tile';
import { Slider } from './fields';

export interface PlayerOptions {
  /** Pictures a second. */
  readonly rate: number;
  /** Called when the picture is chosen. */
  readonly open: (shown: Shown) => void;
}

/** Shows pictures one after the other, over and over. It starts by itself unless the visitor wants less motion. */
export class Player {
  readonly element: HTMLElement;
  readonly #tile: Tile;
  readonly #toggle = button('Play', () => this.#setPlaying(!this.#playing), { class: 'play' });
  readonly #position: Slider;
  readonly #rate: number;
  #frames: readonly (Shown | undefined)[] = [];
  #playing = !matchMedia('(prefers-reduced-motion: reduce)').matches;
  #request = 0;
  /** When the first picture was shown, or would have been. */
  #start = 0;

  constructor({ rate, open }: PlayerOptions) {
    this.#rate = rate;
    this.#tile = new Tile(open);
    this.#position = new Slider({
      label: 'Picture',
      min: 0,
      max: 0,
      step: 1,
      describe: (at) => `${at + 1} of ${Math.max(1, this.#frames.length)}`,
      onInput: (at) => this.#go(at),
    });
    // Before it moves, and also where it stays: the value under the hand must not run away.
    this.#position.input.addEventListener('pointerdown', () => this.#setPlaying(false));
    this.#position.input.addEventListener('keydown', ({ key }) => key !== 'Tab' && this.#setPlaying(false));
    const controls = make('div', { class: 'toolbar' }, this.#toggle, this.#position.element);
    this.element = make('div', { class: 'player' }, this.#tile.element, controls);
    this.#setPlaying(this.#playing);
  }

  /** Show these pictures; those that are undefined are still to come, and playing stops before them. */
  show(frames: readonly (Shown | undefined)[]): void {
    const isNew = frames.length !== this.#frames.length;
    this.#frames = frames;
    this.#position.input.max = String(Math.max(0, frames.length - 1));
    this.#go(isNew ? 0 : this.#position.value);
    this.#wake();
  }

  dispose(): void {
    cancelAnimationFrame(this.#request);
    this.#frames = [];
  }

  #setPlaying(playing: boolean): void {
    this.#playing = playing;
    this.#toggle.textContent = playing ? 'Pause' : 'Play';
    this.#wake();
  }

  #wake(): void {
    cancelAnimationFrame(this.#request);
    if (!this.#playing || this.#frames.length < 2) return;
    this.#start = performance.now() - (1000 * this.#position.value) / this.#rate;
    this.#request = requestAnimationFrame((now) => this.#step(now));
  }

  #step(now: number): void {
    this.#request = requestAnimationFrame((next) => this.#step(next));
    const at = Math.floor(((now - this.#start) * this.#rate) / 1000) % this.#frames.length;
    if (at < 0 || at === this.#position.value) return;
    if (this.#frames[at] === undefined) this.#start = now; // from the first again: the rest is not drawn yet
    else this.#go(at);
  }

  #go(at: number): void {
    const shown = this.#frames[at];
    this.#position.value = at;
    if (shown) this.#tile.show(shown, '');
  }
}
