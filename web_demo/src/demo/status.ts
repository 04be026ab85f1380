import type { Progress } from '../lib/api';
import { byId } from './dom';

type Phase = 'busy' | 'done' | 'failed';

/** The line below the pictures: what is going on, for eyes and for screen readers. */
export class Status {
  readonly #text = byId('status', HTMLParagraphElement);
  readonly #bytes = byId('bytes', HTMLSpanElement);
  readonly #bar = byId('progress', HTMLProgressElement);
  readonly #notice = byId('notice', HTMLParagraphElement);
  readonly #retry = byId('retry', HTMLButtonElement);
  #loadingSince = 0;

  /** Called when the visitor wants to try again what failed. */
  onRetry: () => void = () => undefined;

  constructor() {
    this.#retry.addEventListener('click', () => this.onRetry());
  }

  say(text: string): void {
    this.#show(text, 'done');
  }

  busy(text: string): void {
    this.#show(text, 'busy');
  }

  fail(text: string): void {
    this.#show(text, 'failed');
  }

  /** Something that stays true until the next model or runtime; empty to take it back. */
  notice(text: string): void {
    this.#notice.textContent = text;
    this.#notice.hidden = text === '';
  }

  /** The model is there: from here on it draws. */
  settleLoad(text: string): void {
    if (this.#text.dataset['state'] === 'busy') this.busy(text);
  }

  /** What was drawn is all there: say so unless something else was said. */
  settle(text: string): void {
    if (this.#text.dataset['state'] === 'busy') this.say(text);
  }

  /** Bytes of the model that have come. The words do not count along: a screen reader would read each of them. */
  load({ loaded, total }: Progress): void {
    const text = loaded < total ? `Loading ${megabytes(total)}` : 'Starting the runtime';
    if (this.#text.textContent !== text) {
      if (this.#text.dataset['state'] !== 'busy' || this.#loadingSince === 0) this.#loadingSince = performance.now();
      this.#show(text, 'busy');
    }
    const seconds = (performance.now() - this.#loadingSince) / 1000;
    const rate = seconds > 0.5 ? `, ${megabytes(loaded / seconds)} a second` : '';
    this.#bytes.textContent = loaded < total ? `${megabytes(loaded)}${rate}` : '';
    this.#bar.max = total;
    this.#bar.value = loaded;
    this.#bar.hidden = false;
  }

  #show(text: string, phase: Phase): void {
    this.#text.textContent = text;
    this.#text.dataset['state'] = phase;
    this.#retry.hidden = phase !== 'failed';
    this.#bytes.textContent = '';
    this.#bar.hidden = true;
    if (phase !== 'busy') this.#loadingSince = 0;
  }
}

/** Bytes as people read them. */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`;
}
