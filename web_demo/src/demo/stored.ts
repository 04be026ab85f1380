import { cacheSize, clearCache } from '../lib/loading';
import { byId } from './dom';
import { megabytes } from './status';

/** The line that says how much of the models is kept on this device, with the button that forgets it. */
export class Stored {
  readonly #line = byId('stored', HTMLParagraphElement);
  readonly #size = byId('stored-size', HTMLSpanElement);

  constructor() {
    byId('forget', HTMLButtonElement).addEventListener('click', () => void this.#forget());
    for (const event of ['online', 'offline']) window.addEventListener(event, () => void this.show());
  }

  async show(): Promise<void> {
    const bytes = await cacheSize();
    this.#line.hidden = bytes === 0;
    const offline = navigator.onLine ? '' : 'You are offline, and what was loaded goes on working. ';
    this.#size.textContent = `${offline}${megabytes(bytes)} of models are kept on this device, for the next visit.`;
  }

  async #forget(): Promise<void> {
    await clearCache();
    await this.show();
  }
}
