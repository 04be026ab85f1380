import { download } from '../../download';
import { button, make } from '../../dom';
import type { Film } from '../../export/film';
import { type Format, FORMATS } from '../../export/formats';
import type { Studio } from '../../studio';

export interface Exported {
  readonly film: Film;
  /** Of the file, without its extension. */
  readonly name: string;
}

/** Buttons that make a file of a film; while one is made there is its progress, and a way to stop. */
export class ExportBar {
  readonly element: HTMLElement;
  readonly #studio: Studio;
  readonly #film: () => Exported | null;
  readonly #progress = make('progress', { 'aria-label': 'File', hidden: true });
  readonly #cancel = button('Cancel', () => this.stop(), { hidden: '' });
  readonly #buttons: readonly HTMLButtonElement[];
  #running: AbortController | null = null;

  /** @param film what there is to save at that moment */
  constructor(studio: Studio, film: () => Exported | null) {
    this.#studio = studio;
    this.#film = film;
    const formats = FORMATS.filter(({ available }) => available());
    this.#buttons = formats.map((format) => button(format.title, () => void this.#export(format)));
    const label = make('span', {}, 'Save as');
    this.element = make(
      'div',
      { class: 'toolbar export', role: 'group', 'aria-label': 'Save as' },
      label,
      ...this.#buttons,
      this.#progress,
      this.#cancel,
    );
  }

  /** Leave off the file that is being made. */
  stop(): void {
    this.#running?.abort();
  }

  async #export({ encode, extension, title }: Format): Promise<void> {
    const exported = this.#film();
    if (exported === null || this.#running !== null) return;
    const running = new AbortController();
    this.#show(running, exported.film.count);
    this.#studio.say(`${title}: ${exported.film.count} pictures`);
    const onFrame = (done: number) => (this.#progress.value = done);
    try {
      const blob = await encode(exported.film, { signal: running.signal, onFrame });
      running.signal.throwIfAborted();
      download(blob, `${exported.name}.${extension}`);
      this.#studio.say(`${title} saved: ${sizeOf(blob)}`);
    } catch (error) {
      if (running.signal.aborted) this.#studio.say(`${title}: stopped`);
      else this.#studio.fail(error);
    } finally {
      this.#show(null, 0);
    }
  }

  #show(running: AbortController | null, count: number): void {
    const hadFocus = this.element.contains(document.activeElement);
    this.#running = running;
    this.#progress.max = count || 1;
    this.#progress.value = 0;
    this.#progress.hidden = this.#cancel.hidden = running === null;
    for (const one of this.#buttons) one.disabled = running !== null;
    if (hadFocus) (running === null ? this.#buttons[0] : this.#cancel)?.focus();
  }
}

function sizeOf({ size }: Blob): string {
  return size < 1e6 ? `${Math.ceil(size / 1e3)} kB` : `${(size / 1e6).toFixed(1)} MB`;
}
