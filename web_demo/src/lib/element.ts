import { messageOf } from './errors';
import { GeneratorSlot } from './generator_slot';
import { type Pictures, toImageData } from './pixels';

/** Detail of the `generate` event: what was drawn. */
export interface GenerateDetail {
  readonly seed: number;
  readonly label: string | null;
  readonly psi: number | null;
  readonly pictures: Pictures;
}

const ATTRIBUTES = ['src', 'seed', 'label', 'psi', 'runtime'] as const;
type AttributeName = (typeof ATTRIBUTES)[number];

const STYLE = `
  :host { display: inline-block; inline-size: 256px; aspect-ratio: 1; }
  :host([hidden]) { display: none; }
  canvas { display: block; inline-size: 100%; block-size: 100%; image-rendering: inherit; }
`;

/**
 * `<gan-generator src="…/ganexport.json" seed="42" label="3" psi="0.7" runtime="ort-wasm">`: one picture of a bundle.
 * Each attribute is a property of the same name; a change draws anew.
 *
 * @fires progress - a `ProgressEvent` in bytes while the bundle loads
 * @fires load - when the bundle is ready to draw
 * @fires generate - when a picture was drawn; its `detail` is a `GenerateDetail`
 * @fires error - an `ErrorEvent` whose `error` says what failed; the next change of an attribute tries again
 */
export class GanGeneratorElement extends HTMLElement {
  static readonly observedAttributes: readonly string[] = ATTRIBUTES;

  readonly #canvas = document.createElement('canvas');
  readonly #slot = new GeneratorSlot({
    onProgress: ({ loaded, total }) => {
      this.dispatchEvent(new ProgressEvent('progress', { lengthComputable: true, loaded, total }));
    },
    onLoad: () => this.dispatchEvent(new Event('load')),
  });
  #drawing = new AbortController();
  #updatePlanned = false;

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    const sheet = new CSSStyleSheet(); // no <style>: a page's CSP may forbid it
    sheet.replaceSync(STYLE);
    root.adoptedStyleSheets = [sheet];
    this.#canvas.setAttribute('role', 'img');
    this.#canvas.setAttribute('part', 'canvas');
    root.append(this.#canvas);
  }

  /** Address of the bundle's `ganexport.json`. */
  get src(): string {
    return this.getAttribute('src') ?? '';
  }

  set src(value: string) {
    this.setAttribute('src', value);
  }

  get seed(): number {
    return Number(this.getAttribute('seed') ?? 0);
  }

  set seed(value: number) {
    this.setAttribute('seed', String(value));
  }

  /** Class by index or name; needed when there are classes. */
  get label(): string | null {
    return this.getAttribute('label');
  }

  set label(value: string | number | null) {
    this.#reflect('label', value);
  }

  /** Truncation; the bundle's default when null. */
  get psi(): number | null {
    const value = this.getAttribute('psi');
    return value === null ? null : Number(value);
  }

  set psi(value: number | null) {
    this.#reflect('psi', value);
  }

  /** Name of a runtime; the bundle's preferred one when null. */
  get runtime(): string | null {
    return this.getAttribute('runtime');
  }

  set runtime(value: string | null) {
    this.#reflect('runtime', value);
  }

  connectedCallback(): void {
    this.#plan();
  }

  disconnectedCallback(): void {
    this.#plan(); // by then it may stand elsewhere in the page
  }

  attributeChangedCallback(_name: string, before: string | null, after: string | null): void {
    if (before !== after) this.#plan();
  }

  #reflect(name: AttributeName, value: string | number | null): void {
    if (value === null) this.removeAttribute(name);
    else this.setAttribute(name, String(value));
  }

  /** One update for all changes that are made together. */
  #plan(): void {
    if (this.#updatePlanned) return;
    this.#updatePlanned = true;
    queueMicrotask(() => {
      this.#updatePlanned = false;
      void this.#update();
    });
  }

  async #update(): Promise<void> {
    this.#drawing.abort(); // the picture before this one is not wanted any more
    if (!this.isConnected || this.src === '') {
      this.#slot.close();
      return;
    }
    this.#drawing = new AbortController();
    const { signal } = this.#drawing;
    const { src, seed, label, psi, runtime } = this;
    this.#canvas.setAttribute('aria-busy', 'true');
    try {
      const generator = await this.#slot.open(src, runtime ?? undefined);
      signal.throwIfAborted();
      const pictures = await generator.generate({
        seeds: [seed],
        label: label ?? undefined,
        psi: psi ?? undefined,
        signal,
      });
      signal.throwIfAborted();
      this.#show(pictures, `${generator.manifest.name}${label === null ? '' : `, class ${label}`}, seed ${seed}`);
      const detail: GenerateDetail = { seed, label, psi, pictures };
      this.dispatchEvent(new CustomEvent('generate', { detail }));
    } catch (error) {
      if (!signal.aborted) this.#fail(error);
    }
  }

  #show(pictures: Pictures, description: string): void {
    this.#canvas.width = pictures.width;
    this.#canvas.height = pictures.height;
    this.#canvas.getContext('2d')?.putImageData(toImageData(pictures, 0), 0, 0);
    this.#canvas.setAttribute('aria-label', description);
    this.#canvas.removeAttribute('aria-busy');
  }

  #fail(error: unknown): void {
    this.#canvas.removeAttribute('aria-busy');
    this.dispatchEvent(new ErrorEvent('error', { error, message: messageOf(error) }));
  }
}
