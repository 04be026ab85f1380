/** The library, and `<gan-generator>`, which an import registers. */
import { GanGeneratorElement } from './element';

if (globalThis.customElements && !customElements.get('gan-generator')) {
  customElements.define('gan-generator', GanGeneratorElement);
}

declare global {
  interface HTMLElementTagNameMap {
    'gan-generator': GanGeneratorElement;
  }
}

export * from './index';
export { type GenerateChanges, GanGeneratorElement } from './element';
export type { Attributes, Settings } from './element/attributes';
export type { FrameDetail, GanGeneratorEventMap, GenerateDetail, PreviewDetail } from './element/events';
export type { PlayOptions } from './element/walk';
