import type { Attributes } from './attributes';
import type { GanGeneratorEventMap } from './events';

type Listener<Element, Type extends keyof GanGeneratorEventMap> = (
  this: Element,
  event: GanGeneratorEventMap[Type],
) => unknown;

/** An element with the properties of the attributes, whose listeners know its events. */
export interface BaseElement extends HTMLElement, Attributes {
  addEventListener<Type extends keyof GanGeneratorEventMap>(
    type: Type,
    listener: Listener<this, Type>,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | AddEventListenerOptions,
  ): void;
  removeEventListener<Type extends keyof GanGeneratorEventMap>(
    type: Type,
    listener: Listener<this, Type>,
    options?: boolean | EventListenerOptions,
  ): void;
  removeEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject,
    options?: boolean | EventListenerOptions,
  ): void;
}

/** `HTMLElement`; something empty where there are no elements, as on a server, so that the module can be imported there. */
export const BaseElement = (globalThis.HTMLElement ?? Object) as { new (): BaseElement; prototype: BaseElement };
