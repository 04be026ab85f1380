import { runtimesFor } from '../lib';
import type { Manifest } from '../lib/manifest';
import { byId, type Choice, make, setChoices } from './dom';
import { LARGEST_SEED, NOISE_MODES, type NoiseMode, type State } from './state';
import type { Settings } from './studio';
import { runtimeTitle } from './titles';

const NOISE_TITLES: Readonly<Record<NoiseMode, string>> = { const: 'Stored', random: 'From the seed', none: 'None' };

/** Up to this many classes, each has a button of its own. */
const MOST_CHIPS = 24;

/** Names of classes up to this length stand in columns. */
const SHORT = 3;

/** What the visitor has chosen; `control` says where, so that one step back undoes one choice. */
export type OnChoice = (change: Partial<State>, control: string) => void;

/** The form beside the tools: only what the model has. */
export class Controls {
  readonly #form = byId('controls', HTMLFormElement);
  readonly #seed = field(this.#form, 'seed', HTMLInputElement);
  readonly #labels = byId('labels', HTMLDivElement);
  readonly #psi = field(this.#form, 'psi', HTMLInputElement);
  readonly #cutoff = field(this.#form, 'cutoff', HTMLInputElement);
  readonly #noise = field(this.#form, 'noise', HTMLSelectElement);
  readonly #runtime = field(this.#form, 'runtime', HTMLSelectElement);
  #manifest: Manifest | null = null;

  constructor(onChoice: OnChoice) {
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('input', ({ target }) => {
      const { name } = target as HTMLInputElement;
      this.#showValues();
      if (this.#form.checkValidity()) onChoice(this.#read(name), name);
    });
    const dice = () => onChoice({ seed: Math.floor(Math.random() * 1e6) }, `dice ${performance.now()}`);
    byId('fresh', HTMLButtonElement).addEventListener('click', dice);
    byId('defaults', HTMLButtonElement).addEventListener('click', () => {
      onChoice({ label: 'all', psi: null, cutoff: null, noise: '', runtime: '' }, 'defaults');
    });
    this.#seed.max = String(LARGEST_SEED);
  }

  set hidden(hidden: boolean) {
    this.#form.hidden = hidden;
  }

  /** Offer what a model can do. */
  offer(manifest: Manifest): void {
    this.#manifest = manifest;
    const { spec, labels, defaults } = manifest;
    const names = Array.from({ length: spec.c_dim }, (_, i) => ({ value: String(i), text: labels?.[i] ?? String(i) }));
    const classes = [{ value: 'all', text: 'All' }, ...names];
    this.#labels.replaceChildren(...(spec.c_dim <= MOST_CHIPS ? classes.map(chip) : [select('label', classes)]));
    this.#labels.classList.toggle('words', names.some(({ text }) => text.length > SHORT));
    this.#cutoff.max = String(spec.num_ws);
    const own = defaults.noise_mode;
    const modes = own === 'const' || own === 'random' ? NOISE_MODES.filter((mode) => mode === own || mode === 'none') : [];
    setChoices(this.#noise, modes.map((mode) => ({ value: mode, text: NOISE_TITLES[mode] })));
    const runtimes = runtimesFor(manifest).map((name) => ({ value: name, text: runtimeTitle(name) }));
    setChoices(this.#runtime, [{ value: '', text: 'The best of this device' }, ...runtimes]);
    this.#has('label', spec.c_dim > 0);
    this.#has('psi', spec.num_ws > 0);
    this.#has('cutoff', spec.num_ws > 0);
    this.#has('noise', modes.length > 0);
  }

  /** Show settings; a control that has them already is left alone, as somebody may be typing there. */
  show(settings: Settings, runtime: string): void {
    if (this.#seed.valueAsNumber !== settings.seed) this.#seed.value = String(settings.seed);
    this.#psi.value = String(settings.psi);
    this.#cutoff.value = String(settings.cutoff ?? this.#cutoff.max);
    this.#noise.value = settings.noise;
    this.#runtime.value = runtime;
    const index = this.#manifest?.labels?.indexOf(settings.label) ?? -1;
    const label = index >= 0 ? String(index) : settings.label;
    for (const item of this.#labels.querySelectorAll('input')) item.checked = item.value === label;
    for (const item of this.#labels.querySelectorAll('select')) item.value = label;
    this.#showValues();
  }

  #read(name: string): Partial<State> {
    const layers = Number(this.#cutoff.max);
    switch (name) {
      case 'seed':
        return { seed: this.#seed.valueAsNumber };
      case 'label':
        return { label: String(new FormData(this.#form).get('label')) };
      case 'psi':
        return { psi: this.#psi.valueAsNumber };
      case 'cutoff':
        return { cutoff: this.#cutoff.valueAsNumber === layers ? null : this.#cutoff.valueAsNumber };
      case 'noise':
        return { noise: this.#noise.value as NoiseMode };
      default:
        return { runtime: this.#runtime.value };
    }
  }

  #showValues(): void {
    const layers = Number(this.#cutoff.max);
    const cut = this.#cutoff.valueAsNumber;
    byId('psi-value', HTMLElement).textContent = this.#psi.valueAsNumber.toFixed(2);
    byId('cutoff-value', HTMLElement).textContent = cut === layers ? 'all' : `first ${cut} of ${layers}`;
  }

  #has(control: string, has: boolean): void {
    this.#form.querySelector(`[data-control="${control}"]`)?.toggleAttribute('hidden', !has);
  }
}

function chip({ value, text }: Choice): HTMLLabelElement {
  return make('label', { class: 'chip' }, make('input', { type: 'radio', name: 'label', value }), make('span', {}, text));
}

function select(name: string, choices: readonly Choice[]): HTMLSelectElement {
  const element = make('select', { name, 'aria-labelledby': 'labels-title' });
  setChoices(element, choices);
  return element;
}

function field<T extends Element>(form: HTMLFormElement, name: string, type: new () => T): T {
  const element = form.elements.namedItem(name);
  if (!(element instanceof type)) throw new Error(`the form has no ${type.name} ${name}`);
  return element;
}
