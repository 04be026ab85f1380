/** The element of the page with this id; `type` says what it must be. */
export function byId<T extends HTMLElement>(id: string, type: new () => T): T {
  const element = document.getElementById(id);
  if (!(element instanceof type)) throw new Error(`the page has no ${type.name} #${id}`);
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
