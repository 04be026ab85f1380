import type { Fallback, Generator, Latents } from './api';
import { BaseElement } from './element/base';
import {
  ATTRIBUTE_NAMES,
  type Attributes,
  defineProperties,
  formatSettings,
  parseSettings,
  type Settings,
  takeEarlyProperties,
} from './element/attributes';
import type { GanGeneratorEventMap, GenerateDetail } from './element/events';
import { Lease } from './element/lease';
import { whenNear } from './element/near';
import { View } from './element/view';
import { play, type PlayOptions, prefersStill } from './element/walk';
import { GanExportError, messageOf } from './errors';
import type { Pictures } from './pixels';
import { mixStyles, pickRows, walk } from './toolbox';

/** What one call of `generate()` changes of the settings, and what stops it. */
export type GenerateChanges = Partial<Settings> & { readonly signal?: AbortSignal | undefined };

type Work<Result> = (generator: Generator, signal: AbortSignal) => Promise<Result>;

/**
 * `<gan-generator src="…/ganexport.json" seed="42" label="3">`: a picture of a bundle, drawn on the visitor's device.
 * Each attribute is a property of the same name; a change draws anew, once for all changes made together.
 */
export class GanGeneratorElement extends BaseElement {
  static readonly observedAttributes: readonly string[] = ATTRIBUTE_NAMES;
  static readonly formAssociated = true;

  static {
    defineProperties(this.prototype);
  }

  readonly #internals = this.attachInternals();
  readonly #view = new View(this);
  readonly #lease = new Lease({
    onProgress: (progress) => {
      this.#view.load(this.src, progress);
      this.dispatchEvent(new ProgressEvent('progress', { lengthComputable: true, ...progress }));
    },
    onLoad: () => this.dispatchEvent(new Event('load')),
    onFallback: (fallback: Fallback) => this.#tell('fallback', fallback),
  });
  #drawing = new AbortController();
  #planned: { readonly signal: AbortSignal; readonly result: Promise<GenerateDetail> } | null = null;
  #latest: Promise<unknown> = Promise.resolve();
  #isPlaced = false;
  #isNear = false;
  #forgetNear: (() => void) | null = null;
  /** Settings that a reset of its form brings back. */
  #initial: string | null = null;
  /** What is shown, in words. */
  #shown: string | null = null;

  /** The settings in one text, `seed=42&label=3`: what a form sends under the element's name. */
  get value(): string {
    return formatSettings(this);
  }

  set value(text: string) {
    for (const [name, value] of parseSettings(text)) {
      if (value === null) this.removeAttribute(name);
      else this.setAttribute(name, value);
    }
  }

  /** The form that it belongs to. */
  get form(): HTMLFormElement | null {
    return this.#internals.form;
  }

  /** The bundle on its runtime once it is loaded, for all that the element has no method for; not to be disposed of. */
  get generator(): Generator | null {
    return this.#lease.generator;
  }

  /**
   * Change settings and draw, even while the element waits to come near the window.
   *
   * @returns what was drawn; rejects with an `AbortError` when a later change takes its place
   */
  generate({ signal, ...changes }: GenerateChanges = {}): Promise<GenerateDetail> {
    Object.assign(this, changes);
    this.#isNear = true;
    const planned = this.#plan();
    this.#stopWith(signal);
    return planned;
  }

  /**
   * Show the picture with some layers of another seed's: a picture that the attributes do not say.
   *
   * @param layers from the first, counted from 0, up to but without the last
   */
  mix(seed: number, layers: readonly [number, number]): Promise<GenerateDetail> {
    return this.#draw(this.#begin(), async (generator, signal) => {
      const base = await this.#latents(generator, [this.seed], signal);
      const donor = await this.#latents(generator, [seed], signal);
      return this.#paint(generator, mixStyles(base, donor, layers), signal, { seed, layers });
    });
  }

  /**
   * Walk from picture to picture: through those of some seeds, or through latents. Visitors who want less motion see the
   * last keyframe at once. The attributes stay as they are.
   *
   * @returns when the walk is over; rejects with an `AbortError` when it is stopped or something else is drawn
   */
  walk(keyframes: readonly number[] | Latents, options: PlayOptions = {}): Promise<void> {
    const { frames = 30, seconds = 2, signal: stopped } = options;
    const isStill = prefersStill();
    const loop = options.loop === true && !isStill;
    const done = this.#draw(this.#begin(), async (generator, signal) => {
      const stops = 'tensor' in keyframes ? keyframes : await this.#latents(generator, keyframes, signal);
      const path = isStill ? pickRows(stops, [stops.tensor.shape[0]! - 1]) : walk(stops, { frames, loop });
      const count = path.tensor.shape[0]!;
      await play({
        count,
        interval: (1000 * seconds) / frames,
        loop,
        signal,
        draw: (index) => generator.draw(pickRows(path, [index]), { noise: this.noise ?? undefined, signal }),
        show: (pictures, index) => {
          this.#view.show(pictures);
          this.#tell('frame', { index, count, pictures });
        },
      });
    });
    this.#stopWith(stopped);
    return done;
  }

  /**
   * The picture as a file; the one that is being drawn, if there is one.
   *
   * @param type of the file, `image/png` when left out or unknown to the browser
   * @param quality from 0 to 1, of types that lose something
   * @throws GanExportError `option` when there is no picture yet
   */
  async toBlob(type?: string, quality?: number): Promise<Blob> {
    await this.#latest.catch(() => undefined);
    const blob = await this.#view.toBlob(type, quality);
    if (blob === null) throw new GanExportError('option', 'there is no picture yet: wait for the event `generate`');
    return blob;
  }

  connectedCallback(): void {
    takeEarlyProperties(this);
    if (this.#isPlaced) return; // it was moved, and goes on with what it does
    this.#isPlaced = true;
    this.#initial ??= this.value;
    this.#internals.setFormValue(this.value);
    this.#describe();
    void this.#plan();
  }

  disconnectedCallback(): void {
    queueMicrotask(() => this.isConnected || this.#leave()); // by then it may stand elsewhere in the page
  }

  adoptedCallback(): void {
    this.#view.dress(this.width);
  }

  attributeChangedCallback(name: keyof Attributes, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === 'width') this.#view.dress(this.width);
    else if (name === 'poster') this.#view.setPoster(after);
    else if (name === 'alt') this.#describe();
    else if (name !== 'name' && name !== 'disabled') {
      this.#internals.setFormValue(this.value);
      void this.#plan();
    }
  }

  formResetCallback(): void {
    this.value = this.#initial ?? '';
  }

  formStateRestoreCallback(state: string | File | FormData | null): void {
    if (typeof state === 'string') this.value = state;
  }

  /** One drawing for all changes that are made together; what is drawn meanwhile is out of date. */
  #plan(): Promise<GenerateDetail> {
    if (this.#planned === null || this.#planned.signal.aborted) {
      const signal = this.#begin();
      const result = Promise.resolve().then(() => {
        if (this.#planned?.signal === signal) this.#planned = null;
        return this.#update(signal);
      });
      result.catch(() => undefined); // an event tells of it
      this.#planned = { signal, result };
    }
    return this.#planned.result;
  }

  async #update(signal: AbortSignal): Promise<GenerateDetail> {
    signal.throwIfAborted();
    this.#requireNear();
    return this.#draw(signal, async (generator) => {
      const latents = await this.#latents(generator, [this.seed], signal);
      return this.#paint(generator, latents, signal, null);
    });
  }

  /** What was begun before is out of date. */
  #begin(): AbortSignal {
    this.#drawing.abort();
    this.#drawing = new AbortController();
    return this.#drawing.signal;
  }

  /** Let a caller's signal stop what was just begun. */
  #stopWith(signal: AbortSignal | undefined): void {
    const drawing = this.#drawing;
    const stop = () => drawing.abort(signal?.reason);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { signal: drawing.signal });
  }

  /** @throws AbortError where nothing may be loaded yet; it will be drawn once the element comes near the window. */
  #requireNear(): void {
    if (this.loading === 'eager' || this.#isNear) return;
    this.#forgetNear ??= whenNear(this, () => {
      this.#isNear = true;
      void this.#plan();
    });
    throw new DOMException('the element waits to come near the window', 'AbortError');
  }

  /** Load the bundle if that was not done, and do something with it. What fails is told, what was stopped is not. */
  async #draw<Result>(signal: AbortSignal, work: Work<Result>): Promise<Result> {
    signal.throwIfAborted();
    this.#requireSource();
    const result = this.#drawUntold(signal, work);
    this.#latest = result.catch((error: unknown) => {
      if (this.#drawing.signal === signal) this.#view.idle();
      if (!signal.aborted) this.#fail(error);
    });
    return result;
  }

  #requireSource(): void {
    if (!this.isConnected) throw new GanExportError('option', 'the element is not in a page: append it first');
    if (this.src !== '') return;
    this.#lease.close();
    throw new GanExportError('option', 'src is missing: the address of a ganexport.json');
  }

  async #drawUntold<Result>(signal: AbortSignal, work: Work<Result>): Promise<Result> {
    this.#view.busy();
    try {
      const generator = await this.#lease.open(this.src, this.runtime);
      signal.throwIfAborted();
      const result = await work(generator, signal);
      signal.throwIfAborted();
      this.#view.idle();
      return result;
    } catch (error) {
      signal.throwIfAborted(); // and not what came of it
      throw error;
    }
  }

  #latents(generator: Generator, seeds: readonly number[], signal: AbortSignal): Promise<Latents> {
    const { label, psi, cutoff } = this;
    return generator.latents({ seeds, label: label ?? undefined, psi: psi ?? undefined, cutoff, signal });
  }

  async #paint(
    generator: Generator,
    latents: Latents,
    signal: AbortSignal,
    mixed: GenerateDetail['mixed'],
  ): Promise<GenerateDetail> {
    const { seed, label, psi, cutoff, noise } = this;
    const onPreview = (pictures: Pictures) => {
      if (signal.aborted) return;
      this.#view.show(pictures);
      this.#tell('preview', { pictures });
    };
    const pictures = await generator.draw(latents, { noise: noise ?? undefined, onPreview, signal });
    signal.throwIfAborted();
    this.#view.show(pictures);
    const parts = [generator.manifest.name, label !== null && `class ${label}`, `seed ${seed}`];
    this.#shown = parts.filter((part) => part !== false).join(', ') + (mixed ? ` mixed with seed ${mixed.seed}` : '');
    this.#describe();
    const detail: GenerateDetail = { seed, label, psi, cutoff, noise, pictures, mixed };
    this.#tell('generate', detail);
    return detail;
  }

  #describe(): void {
    this.#view.describe(this.alt ?? this.#shown ?? `A picture of seed ${this.seed}, not drawn yet`);
  }

  #leave(): void {
    this.#isPlaced = false;
    this.#forgetNear?.();
    this.#forgetNear = null;
    this.#drawing.abort();
    this.#lease.close();
  }

  #tell<Type extends 'preview' | 'generate' | 'frame' | 'fallback'>(
    type: Type,
    detail: GanGeneratorEventMap[Type]['detail'],
  ): void {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #fail(error: unknown): void {
    const message = messageOf(error);
    this.#view.fail(message);
    this.dispatchEvent(new ErrorEvent('error', { error, message }));
  }
}
