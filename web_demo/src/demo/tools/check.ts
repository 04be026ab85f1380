import { runtimesFor, type Verification, verifyBundle } from '../../lib';
import { messageOf } from '../../lib/errors';
import { button, make } from '../dom';
import type { Studio } from '../studio';
import { runtimeTitle } from '../titles';
import type { Mounted, Tool } from '../tool';
import './check.css';

/** Greatest difference of a picture that counts as the same, of 255 grey levels. */
const TOLERATED = 1;

/** Whether this device draws the pictures that were recorded when the bundle was made, and how fast. */
export const check: Tool = {
  id: 'check',
  title: 'Check',
  hint: 'Does this device draw the very pictures that were recorded when the model was exported? Find out, pixel by pixel.',
  usesSettings: false,
  available: ({ goldens }) => goldens.cases.length > 0,
  mount: (panel, studio) => new CheckView(panel, studio),
};

class CheckView implements Mounted {
  readonly #studio: Studio;
  readonly #rows: readonly Row[];
  readonly #all: HTMLButtonElement;
  readonly #stop = button('Stop', () => this.#running?.abort());
  #running: AbortController | null = null;

  constructor(panel: HTMLElement, studio: Studio) {
    this.#studio = studio;
    this.#rows = runtimesFor(studio.manifest).map((name) => new Row(name, (row) => void this.#check([row])));
    this.#all = button('Check every runtime', () => void this.#check(this.#rows), { class: 'primary' });
    this.#stop.disabled = true;
    const list = make('ul', { class: 'checks', 'aria-label': 'Runtimes' }, ...this.#rows.map(({ element }) => element));
    panel.append(make('div', { class: 'toolbar' }, this.#all, this.#stop), list);
  }

  async update(): Promise<void> {
    const cases = this.#studio.manifest.goldens.cases;
    const pictures = cases.reduce((sum, { seeds }) => sum + seeds.length, 0);
    this.#studio.say(`${pictures} recorded pictures to compare with`);
  }

  dispose(): void {
    this.#running?.abort();
  }

  /** One runtime after the other: together they would slow each other down. */
  async #check(rows: readonly Row[]): Promise<void> {
    if (this.#running) return;
    const { signal } = (this.#running = new AbortController());
    this.#enable(false);
    for (const row of rows) {
      if (!signal.aborted) await this.#checkOne(row, signal);
    }
    this.#running = null;
    this.#enable(true);
    compareSpeeds(this.#rows);
    this.#studio.say(signal.aborted ? 'Stopped' : conclusion(rows));
  }

  async #checkOne(row: Row, signal: AbortSignal): Promise<void> {
    const { url, manifest } = this.#studio;
    this.#studio.say(`Checking ${runtimeTitle(row.runtime)}`);
    row.begin(manifest.goldens.cases.length);
    try {
      row.finish(await verifyBundle(url, row.runtime, { signal, onCase: () => row.step() }));
    } catch (error) {
      row.fail(signal.aborted ? 'Stopped' : `It does not run here: ${messageOf(error)}`);
    }
  }

  #enable(idle: boolean): void {
    this.#all.disabled = !idle;
    this.#stop.disabled = idle;
    for (const row of this.#rows) row.button.disabled = !idle;
  }
}

type RowState = 'idle' | 'running' | 'passed' | 'failed';

/** One runtime: its name, its verdict, and how fast it is beside the others. */
class Row {
  readonly element = make('li');
  readonly button: HTMLButtonElement;
  readonly #version = make('small');
  readonly #verdict = make('p', { class: 'verdict' });
  readonly #speed = make('p', { class: 'speed' });
  readonly #bar = make('span', { class: 'bar' });
  #picturesASecond: number | null = null;
  #state: RowState = 'idle';
  #done = 0;
  #cases = 0;

  constructor(
    readonly runtime: string,
    onCheck: (row: Row) => void,
  ) {
    const title = runtimeTitle(runtime);
    this.button = button('Check', () => onCheck(this), { 'aria-label': `Check ${title}` });
    const name = make('div', { class: 'name' }, make('h3', {}, title), this.#version);
    const track = make('span', { class: 'track', 'aria-hidden': 'true' }, this.#bar);
    this.element.append(name, this.#verdict, this.#speed, track, this.button);
    this.element.dataset['runtime'] = runtime;
    this.#set('idle', '');
  }

  get state(): RowState {
    return this.#state;
  }

  get picturesASecond(): number | null {
    return this.#picturesASecond;
  }

  begin(cases: number): void {
    this.#cases = cases;
    this.#done = 0;
    this.#picturesASecond = null;
    this.#speed.textContent = '';
    this.#width(0);
    this.#set('running', 'Loading');
  }

  step(): void {
    this.#done += 1;
    this.#set('running', `Compared ${this.#done} of ${this.#cases} sets of pictures`);
  }

  finish({ version, cases }: Verification): void {
    this.#version.textContent = `version ${version}`;
    const most = Math.max(...cases.map(({ maxGreyLevels }) => maxGreyLevels));
    this.#set(most <= TOLERATED ? 'passed' : 'failed', verdict(most));
    const timed = cases.length > 1 ? cases.slice(1) : cases; // the first run also warms up
    const seconds = timed.reduce((sum, { milliseconds }) => sum + milliseconds, 0) / 1000;
    this.#picturesASecond = timed.reduce((sum, { pictures }) => sum + pictures, 0) / Math.max(seconds, 1e-3);
    this.#speed.textContent = `${rounded(this.#picturesASecond)} pictures a second`;
  }

  /** It was stopped, or could not run at all. */
  fail(text: string): void {
    this.#set('idle', text);
  }

  /** @param share of the fastest runtime's speed, 0 to 1 */
  compare(share: number): void {
    this.#width(share);
  }

  #width(share: number): void {
    this.#bar.style.inlineSize = `${100 * share}%`;
  }

  #set(state: RowState, text: string): void {
    this.#state = state;
    this.element.dataset['state'] = state;
    this.#verdict.textContent = text;
  }
}

function conclusion(rows: readonly Row[]): string {
  const ran = rows.filter(({ state }) => state === 'passed' || state === 'failed');
  const passed = ran.filter(({ state }) => state === 'passed').length;
  if (ran.length === 0) return 'Nothing could be checked';
  const all = ran.length === 1 ? 'it draws' : `all ${ran.length} runtimes draw`;
  return passed === ran.length
    ? `Checked: ${all} the same pictures here`
    : `Checked: ${ran.length - passed} of ${ran.length} runtimes draw other pictures here`;
}

function compareSpeeds(rows: readonly Row[]): void {
  const fastest = Math.max(...rows.map(({ picturesASecond }) => picturesASecond ?? 0));
  for (const row of rows) row.compare(fastest > 0 ? (row.picturesASecond ?? 0) / fastest : 0);
}

function verdict(most: number): string {
  if (most === 0) return 'Passed: the same in every pixel';
  const levels = `${most} of 255 grey levels`;
  return most <= TOLERATED ? `Passed: within ${levels}` : `Failed: differs by up to ${levels}`;
}

function rounded(value: number): string {
  return value >= 10 ? String(Math.round(value)) : value.toFixed(1);
}
