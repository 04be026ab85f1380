import type { Progress } from '../api';
import { type Pictures, toImageData } from '../pixels';
import { STYLE } from './style';

/** Addresses of bundles of whose loading a screen reader is told; by one element each, however many show it. */
const announced = new Set<string>();

/** What `<gan-generator>` shows: poster, picture, progress, error, and what its author puts over and under them. */
export class View {
  readonly #root: ShadowRoot;
  readonly #frame = part('div', 'frame');
  readonly #poster = part('div', 'poster');
  readonly #image = part('img', 'poster-image');
  readonly #canvas = part('canvas', 'picture');
  readonly #progress = part('div', 'progress');
  readonly #bar = part('div', 'bar');
  readonly #error = part('div', 'error');
  readonly #message = document.createElement('span');
  readonly #status = document.createElement('span');
  readonly #context = this.#canvas.getContext('2d');
  #announces: string | null = null;
  #drawn = false;

  constructor(host: HTMLElement) {
    this.#root = host.attachShadow({ mode: 'open' });
    this.dress();
    this.#image.hidden = true;
    this.#image.alt = '';
    this.#poster.append(slot('poster', this.#image));
    this.#progress.append(this.#bar);
    this.#progress.hidden = true;
    this.#progress.role = 'progressbar';
    this.#progress.ariaLabel = 'Loading';
    this.#error.append(slot('error', this.#message));
    this.#error.role = 'status'; // filled before it is shown, so that it is read
    this.#error.hidden = true;
    this.#status.className = 'unseen';
    this.#status.role = 'status';
    const overlay = part('div', 'overlay');
    overlay.append(slot(''));
    this.#frame.append(this.#poster, this.#canvas, overlay, this.#error, this.#progress);
    this.#root.append(this.#frame, slot('caption'), this.#status);
  }

  /** Put the style on, which an element loses when it goes to another document. */
  dress(width: number | null = null): void {
    const { defaultView } = this.#root.ownerDocument;
    if (defaultView === null) return; // nothing is seen there, such as in a <template>, and no style may go there
    const sheet = new defaultView.CSSStyleSheet(); // no <style>: a page's CSP may forbid it
    sheet.replaceSync(STYLE + (width !== null && width >= 0 ? `:host { inline-size: ${width}px; }` : ''));
    this.#root.adoptedStyleSheets = [sheet];
  }

  /** The picture to show until the first one is drawn. */
  setPoster(address: string | null): void {
    this.#image.hidden = address === null;
    if (address === null) this.#image.removeAttribute('src');
    else this.#image.src = address;
  }

  /** Say what the picture shows; '' for decoration. */
  describe(description: string): void {
    this.#canvas.role = description === '' ? 'presentation' : 'img';
    this.#canvas.ariaLabel = description === '' ? null : description;
  }

  /** A picture is being drawn. */
  busy(): void {
    this.#canvas.ariaBusy = 'true';
  }

  /** Nothing goes on any more. */
  idle(): void {
    this.#canvas.ariaBusy = null;
    this.#progress.hidden = true;
    this.#quiet();
  }

  /** How far loading has come. The bar is drawn at each call, but a screen reader is told at each quarter only. */
  load(source: string, { loaded, total }: Progress): void {
    const done = total > 0 ? loaded / total : 1;
    this.#progress.hidden = done === 1;
    this.#bar.style.transform = `scaleX(${done})`;
    this.#progress.ariaValueNow = String(10 * Math.floor(10 * done));
    if (this.#announces === null && done < 1 && !announced.has(source)) announced.add((this.#announces = source));
    const text = `Loading, ${25 * Math.floor(4 * done)} %`;
    if (this.#announces !== null && this.#status.textContent !== text) this.#status.textContent = text;
    if (done === 1) this.#quiet();
  }

  /** Show the first of some pictures. */
  show(pictures: Pictures): void {
    const { width, height } = pictures;
    if (this.#canvas.width !== width || this.#canvas.height !== height) {
      Object.assign(this.#canvas, { width, height });
      this.#frame.style.aspectRatio = `${width} / ${height}`;
    }
    this.#context?.putImageData(toImageData(pictures, 0), 0, 0);
    this.#drawn = true;
    this.#poster.hidden = true;
    this.#error.hidden = true;
  }

  /** Show what went wrong. */
  fail(message: string): void {
    this.idle();
    this.#message.textContent = message;
    this.#error.hidden = false;
  }

  /** The picture as a file; null when there is none yet. */
  toBlob(type?: string, quality?: number): Promise<Blob | null> {
    if (!this.#drawn) return Promise.resolve(null);
    return new Promise((resolve) => this.#canvas.toBlob(resolve, type, quality));
  }

  #quiet(): void {
    if (this.#announces !== null) announced.delete(this.#announces);
    this.#announces = null;
    this.#status.textContent = '';
  }
}

/** An element that a page may style by `::part(name)`. */
function part<Name extends keyof HTMLElementTagNameMap>(tag: Name, name: string): HTMLElementTagNameMap[Name] {
  const element = document.createElement(tag);
  element.className = name;
  element.setAttribute('part', name);
  return element;
}

function slot(name: string, ...content: readonly Node[]): HTMLSlotElement {
  const element = document.createElement('slot');
  element.name = name;
  element.append(...content);
  return element;
}
