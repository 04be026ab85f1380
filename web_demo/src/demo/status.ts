import type { Progress } from '../lib';
import { byId } from './dom';

/** The line below the pictures: what is going on, for eyes and for screen readers. */
export class Status {
  readonly #text = byId('status', HTMLParagraphElement);
  readonly #bar = byId('progress', HTMLProgressElement);

  say(text: string): void {
    this.#show(text, 'done');
  }

  fail(text: string): void {
    this.#show(text, 'failed');
  }

  /** Bytes of the model that have come. The words do not count along: a screen reader would read each of them. */
  load({ loaded, total }: Progress): void {
    const text = `Loading ${(total / 1e6).toFixed(1)} MB`;
    if (this.#text.textContent !== text) this.#show(text, 'loading');
    this.#bar.max = total;
    this.#bar.value = loaded;
    this.#bar.hidden = loaded === total;
    if (loaded === total) this.#show('Starting the runtime', 'loading');
  }

  #show(text: string, state: 'loading' | 'done' | 'failed'): void {
    this.#text.textContent = text;
    this.#text.dataset['state'] = state;
    this.#bar.hidden ||= state !== 'loading';
  }
}
