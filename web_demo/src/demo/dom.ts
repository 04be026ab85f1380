/** The element of the page with this id; `type` says what it must be. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
  return element;
}

/** A new element with attributes and children; an attribute that is `true` has no value, one that is `false` is left out. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Readonly<Record<string, string | number | boolean>> = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false) element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children);
  return element;
}

/** A button that does something. */
export function button(text: string, onClick: () => void, attributes: Readonly<Record<string, string>> = {}): HTMLButtonElement {
  const element = make('button', { type: 'button', ...attributes }, text);
  element.addEventListener('click', onClick);
  return element;
}

/** An option of a select. */
export interface Choice {
  readonly value: string;
  readonly text: string;
}

/** Give a select these options; it keeps its value where that is still there. */
export function setChoices(select: HTMLSelectElement, choices: readonly Choice[]): void {
  const { value } = select;
  select.replaceChildren(...choices.map((choice) => new Option(choice.text, choice.value)));
  if (choices.some((choice) => choice.value === value)) select.value = value;
}
