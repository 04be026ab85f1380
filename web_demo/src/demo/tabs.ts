import { byId, make } from './dom';
import type { Tool } from './tool';

/** The row of tabs: one of them is in the order of focus, the arrow keys go to the others, Enter opens one. */
export class Tabs {
  readonly #list = byId('tabs', HTMLDivElement);
  readonly #panel = byId('panel', HTMLElement);
  #tabs: HTMLButtonElement[] = [];

  /** @param onChoose called with the id of the tool whose tab was chosen */
  constructor(readonly onChoose: (id: string) => void) {
    this.#list.addEventListener('keydown', (event) => this.#onKey(event));
  }

  /** Offer these tools. */
  offer(tools: readonly Tool[]): void {
    this.#tabs = tools.map(({ id, title }) => {
      const tab = make('button', { type: 'button', role: 'tab', id: `tab-${id}`, 'aria-controls': 'panel' }, title);
      tab.addEventListener('click', () => this.onChoose(id));
      return tab;
    });
    this.#list.replaceChildren(...this.#tabs);
  }

  /** Mark one as the open one. */
  select(id: string): void {
    for (const tab of this.#tabs) {
      const selected = tab.id === `tab-${id}`;
      tab.setAttribute('aria-selected', String(selected));
      tab.tabIndex = selected ? 0 : -1;
      if (selected) this.#scrollTo(tab);
    }
    this.#panel.setAttribute('aria-labelledby', `tab-${id}`);
  }

  /** Only sideways: the page itself stays where it is. */
  #scrollTo(tab: HTMLElement): void {
    const { offsetLeft, offsetWidth } = tab;
    const middle = offsetLeft + offsetWidth / 2 - this.#list.clientWidth / 2;
    this.#list.scrollTo({ left: middle - this.#list.offsetLeft });
  }

  #onKey(event: KeyboardEvent): void {
    const at = this.#tabs.findIndex((tab) => tab === document.activeElement);
    const last = this.#tabs.length - 1;
    const next = { ArrowRight: at === last ? 0 : at + 1, ArrowLeft: at === 0 ? last : at - 1, Home: 0, End: last }[event.key];
    if (at < 0 || next === undefined) return;
    event.preventDefault();
    this.#tabs[next]?.focus();
  }
}
