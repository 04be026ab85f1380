import { byId } from './dom';
import { type Drawn, paint, titleOf } from './grid';

/** One picture, large, with what it takes to draw it again. */
export class PictureDialog {
  readonly #dialog = byId('picture', HTMLDialogElement);
  readonly #canvas = byId('picture-canvas', HTMLCanvasElement);
  readonly #title = byId('picture-title', HTMLHeadingElement);
  readonly #details = byId('picture-details', HTMLParagraphElement);
  #shown: Drawn | null = null;

  /** @param onStart called with the seed from which the visitor wants to go on */
  constructor(onStart: (seed: number) => void) {
    byId('picture-save', HTMLButtonElement).addEventListener('click', () => this.#save());
    this.#dialog.addEventListener('click', (event) => {
      if (event.target === this.#dialog) this.#dialog.close('close'); // beside the picture
    });
    this.#dialog.addEventListener('close', () => {
      if (this.#dialog.returnValue === 'start' && this.#shown) onStart(this.#shown.seed);
    });
  }

  open(drawn: Drawn, details: string): void {
    this.#shown = drawn;
    paint(this.#canvas, drawn);
    this.#title.textContent = titleOf(drawn);
    this.#details.textContent = details;
    this.#dialog.returnValue = '';
    this.#dialog.showModal();
  }

  #save(): void {
    this.#canvas.toBlob((blob) => {
      if (!blob || !this.#shown) return;
      const link = document.createElement('a');
      link.href = URL.createObjectURL(blob);
      link.download = `seed-${this.#shown.seed}.png`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
    }, 'image/png');
  }
}
