/** The library, and `<gan-generator>`, which an import registers. */
import { GanGeneratorElement } from './element';

if (!customElements.get('gan-generator')) customElements.define('gan-generator', GanGeneratorElement);

declare global {
  interface HTMLElementTagNameMap {
    'gan-generator': GanGeneratorElement;
  }
}

export * from './index';
export { type GenerateDetail, GanGeneratorElement } from './element';
