import type { Generator } from '../lib/api';
import { explain } from './advice';
import { Controls } from './controls';
import { byId, make } from './dom';
import { LoadedModel } from './loaded_model';
import { ModelView } from './model_view';
import type { Models } from './models';
import { copyText, type DialogHost, PictureDialog } from './picture_dialog';
import { readState, type State, writeState } from './state';
import type { Status } from './status';
import { Stored } from './stored';
import { ModelStudio, type Shown, type StudioHost } from './studio';
import { Tabs } from './tabs';
import type { Mounted, Tool } from './tool';

/** How a new state enters the history: as a step, in place of the present one, or as it stands there already. */
type Entry = 'push' | 'replace' | 'there';

/** The page: one model, one tool, one state, which stands in the address. */
export class Page implements StudioHost, DialogHost {
  readonly #models: Models;
  readonly #tools: readonly Tool[];
  readonly #status: Status;
  readonly #view: ModelView;
  readonly #loaded: LoadedModel;
  readonly #panel = byId('panel', HTMLElement);
  readonly #tabs = new Tabs((tool) => this.#go({ ...this.#state, tool }, 'push'));
  readonly #controls = new Controls((change, control) => this.#choose(change, control));
  readonly #dialog = new PictureDialog(this);
  readonly #stored = new Stored();
  #state: State = readState('');
  #studio: ModelStudio | null = null;
  #open: { readonly tool: Tool; readonly mounted: Mounted } | null = null;
  #running = new AbortController();
  #lastControl = '';

  constructor(models: Models, tools: readonly Tool[], status: Status) {
    this.#models = models;
    this.#tools = tools;
    this.#status = status;
    this.#view = new ModelView(models);
    this.#loaded = new LoadedModel(status);
    byId('share', HTMLButtonElement).addEventListener('click', () => void copyText(location.href).then((text) => this.say(text)));
    window.addEventListener('hashchange', () => this.#go(readState(location.hash), 'there'));
    this.#go(readState(location.hash), 'replace');
  }

  get state(): State {
    return this.#state;
  }

  choose(change: Partial<State>): void {
    this.#choose(change, 'tool');
  }

  setToolState(text: string): void {
    const { tool, tools } = this.#state;
    this.#state = { ...this.#state, tools: { ...tools, [tool]: text } };
    history.replaceState(null, '', writeState(this.#state));
  }

  redraw(): void {
    this.#go(this.#state, 'replace');
  }

  generator(): Promise<Generator> {
    const { url } = this.#studio!;
    return this.#loaded.generator(url, this.#state.runtime || undefined);
  }

  open(shown: Shown, among: readonly Shown[]): void {
    this.#dialog.open(shown, among, this.#studio!);
  }

  collectors(shown: Shown): { title: string; take: () => void }[] {
    const { tools: parts } = this.#state;
    return this.#tools.flatMap(({ id, collect, available }) => {
      const text = available(this.#studio!.manifest) ? (collect?.into(parts[id] ?? '', shown) ?? null) : null;
      if (!collect || text === null) return [];
      const take = () => this.#go({ ...this.#state, tool: id, tools: { ...parts, [id]: text } }, 'push');
      return [{ title: collect.title, take }];
    });
  }

  linkTo({ seed, label }: Shown): string {
    const plain = { tool: 'grid', seed: seed ?? 0, label: label === null ? 'all' : String(label), tools: {} };
    const state = seed === null ? this.#state : { ...this.#state, ...plain };
    return new URL(writeState(state), location.href).href;
  }

  startFrom(seed: number): void {
    this.#go({ ...this.#state, seed, tool: 'grid' }, 'push');
  }

  say(text: string): void {
    this.#status.say(text);
  }

  fail(error: unknown): void {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    this.#status.fail(explain(error));
  }

  /** Changes of the same control, such as a slider under way, are one step of the history. */
  #choose(change: Partial<State>, control: string): void {
    const entry = control === this.#lastControl ? 'replace' : 'push';
    this.#go({ ...this.#state, ...change }, entry);
    this.#lastControl = control;
  }

  /** Show a state; whatever was on its way before is dropped. */
  #go(state: State, entry: Entry): void {
    this.#lastControl = '';
    this.#running.abort();
    this.#running = new AbortController();
    const { signal } = this.#running;
    this.#panel.setAttribute('aria-busy', 'true');
    this.#show(state, entry, signal)
      .catch((error: unknown) => signal.aborted || this.fail(error))
      .finally(() => signal.aborted || this.#panel.setAttribute('aria-busy', 'false'))
      .then(() => this.#stored.show())
      .catch(() => undefined); // how much is stored is a courtesy
  }

  async #show(wanted: State, entry: Entry, signal: AbortSignal): Promise<void> {
    this.#state = wanted;
    this.#status.busy('Drawing');
    const model = this.#models.find(wanted.model);
    const manifest = await this.#models.manifest(model);
    signal.throwIfAborted();
    const offered = this.#tools.filter((tool) => tool.available(manifest));
    const tool = offered.find(({ id }) => id === wanted.tool) ?? offered[0]!;
    this.#state = { ...wanted, model: model.name, tool: tool.id };
    this.#write(entry);

    const url = new URL(model.manifest, location.href).href;
    if (this.#studio?.url !== url) {
      this.#close();
      this.#studio = new ModelStudio(url, manifest, this);
      this.#controls.offer(manifest);
      this.#tabs.offer(offered);
    }
    this.#view.show(model, manifest, (name) => writeState({ ...this.#state, model: name, label: 'all', tools: {} }));
    this.#controls.show(this.#studio.settings, this.#state.runtime);
    const mounted = this.#mount(tool, this.#studio);
    await mounted.update(signal);
    if (!signal.aborted) this.#status.settle('Ready');
  }

  #write(entry: Entry): void {
    const address = writeState(this.#state);
    if (entry === 'push' && address !== location.hash) history.pushState(null, '', address);
    else history.replaceState(null, '', address);
  }

  #mount(tool: Tool, studio: ModelStudio): Mounted {
    if (this.#open?.tool !== tool) {
      this.#close();
      const body = make('div', { class: `tool tool-${tool.id}` });
      this.#panel.replaceChildren(make('p', { class: 'hint' }, tool.hint), body);
      this.#tabs.select(tool.id);
      this.#controls.hidden = tool.usesSettings === false;
      this.#open = { tool, mounted: tool.mount(body, studio) };
    }
    return this.#open.mounted;
  }

  #close(): void {
    this.#open?.mounted.dispose();
    this.#open = null;
    this.#panel.replaceChildren();
  }
}
