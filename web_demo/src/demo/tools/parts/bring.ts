import './bring.css';

import { GanExportError } from '../../../lib';
import type { Picture } from '../../../lib/fit';
import { make } from '../../dom';

/** Of what is larger the browser makes this first: some devices have no canvas for more. */
const MOST_PIXELS_A_SIDE = 2048;

export interface BringOptions {
  /** What shows that something may be dropped. */
  readonly place: HTMLElement;
  readonly onPicture: (picture: Picture, name: string) => void;
  readonly onError: (error: unknown) => void;
}

/** Ways to bring a picture: a button for a file or the camera; and, wherever they happen on the page, a drop and a paste. */
export class Bring {
  readonly element: HTMLLabelElement;
  readonly #options: BringOptions;
  readonly #listening = new AbortController();

  constructor(options: BringOptions) {
    this.#options = options;
    const input = make('input', { type: 'file', accept: 'image/*' });
    this.element = make('label', { class: 'file' }, input, make('span', {}, 'Choose a file'));
    input.addEventListener('change', () => {
      this.#take(input.files);
      input.value = ''; // the same file may be chosen again
    });
    const { signal } = this.#listening;
    const { place } = options;
    document.addEventListener('paste', ({ clipboardData }) => this.#take(clipboardData?.files), { signal });
    document.addEventListener('dragover', (event) => this.#over(event), { signal });
    document.addEventListener('dragleave', () => place.classList.remove('drop-here'), { signal });
    document.addEventListener('drop', (event) => this.#drop(event), { signal });
  }

  dispose(): void {
    this.#listening.abort();
  }

  #over(event: DragEvent): void {
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault(); // else the browser leaves the page for the file
    this.#options.place.classList.add('drop-here');
  }

  #drop(event: DragEvent): void {
    this.#options.place.classList.remove('drop-here');
    if (!event.dataTransfer?.types.includes('Files')) return;
    event.preventDefault();
    this.#take(event.dataTransfer.files);
  }

  #take(files: FileList | null | undefined): void {
    const file = files?.[0];
    if (file) readPicture(file).then((picture) => this.#options.onPicture(picture, file.name), this.#options.onError);
  }
}

/**
 * The middle square of a picture file, upright.
 *
 * @throws GanExportError `option` when it is none that this browser reads.
 */
export async function readPicture(file: File): Promise<Picture> {
  const bitmap = await createImageBitmap(file).catch((cause: unknown) => {
    throw new GanExportError('option', `${file.name} is no picture that this browser reads`, { cause });
  });
  const { width, height } = bitmap;
  const side = Math.min(width, height);
  const size = Math.min(side, MOST_PIXELS_A_SIDE);
  const context = make('canvas', { width: size, height: size }).getContext('2d')!;
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (width - side) >> 1, (height - side) >> 1, side, side, 0, 0, size, size);
  bitmap.close();
  return context.getImageData(0, 0, size, size);
}
