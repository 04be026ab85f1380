import { type Manifest, runtimesFor } from '../lib';
import { byId, type Choice, setChoices } from './dom';
import type { ModelEntry } from './models';
import { LARGEST_SEED, type State } from './state';

const RUNTIME_TITLES: Readonly<Record<string, string>> = {
  'ort-wasm': 'ONNX Runtime · Wasm',
  'tfjs-webgl': 'TensorFlow.js · WebGL',
  'tfjs-wasm': 'TensorFlow.js · Wasm',
  'tfjs-cpu': 'TensorFlow.js · JavaScript',
};

/** Name of a runtime as people read it. */
export function runtimeTitle(name: string): string {
  return RUNTIME_TITLES[name] ?? name;
}

/** The form beside the pictures. */
export class Controls {
  readonly #form = byId('controls', HTMLFormElement);
  readonly #model = field(this.#form, 'model', HTMLSelectElement);
  readonly #label = field(this.#form, 'label', HTMLSelectElement);
  readonly #psi = field(this.#form, 'psi', HTMLInputElement);
  readonly #psiValue = byId('psi-value', HTMLElement);
  readonly #seed = field(this.#form, 'seed', HTMLInputElement);
  readonly #runtime = field(this.#form, 'runtime', HTMLSelectElement);

  /** @param onChange called with each new state that the visitor chooses */
  constructor(models: readonly ModelEntry[], onChange: (state: State) => void, picturesShown: number) {
    setChoices(
      this.#model,
      models.map(({ name }) => ({ value: name, text: name })),
    );
    this.#show('model', models.length > 1);
    this.#form.addEventListener('submit', (event) => event.preventDefault());
    this.#form.addEventListener('input', () => {
      this.#psiValue.textContent = this.#psi.value;
      if (this.#form.checkValidity()) onChange(this.state);
    });
    byId('fresh', HTMLButtonElement).addEventListener('click', () => {
      this.#seed.value = String(Math.floor(Math.random() * (LARGEST_SEED + 1 - picturesShown)));
      onChange(this.state);
    });
  }

  get state(): State {
    return {
      model: this.#model.value,
      label: this.#label.value,
      seed: this.#seed.valueAsNumber,
      psi: this.#psi.valueAsNumber,
      runtime: this.#runtime.value,
    };
  }

  /** Offer what this model can do, and show a state of it. */
  show(state: State, manifest: Manifest): void {
    const { spec, labels, defaults } = manifest;
    setChoices(this.#label, labelChoices(spec.c_dim, labels));
    setChoices(
      this.#runtime,
      runtimesFor(manifest).map((name) => ({ value: name, text: runtimeTitle(name) })),
    );
    this.#model.value = state.model;
    this.#label.value = state.label;
    this.#seed.value = String(state.seed);
    this.#psi.value = String(state.psi ?? defaults.truncation_psi);
    this.#psiValue.textContent = this.#psi.value;
    this.#runtime.value = state.runtime;
    this.#show('label', spec.c_dim > 0);
    this.#show('psi', spec.num_ws > 0);
  }

  #show(control: string, shown: boolean): void {
    this.#form.querySelector(`[data-control="${control}"]`)?.toggleAttribute('hidden', !shown);
  }
}

function labelChoices(classes: number, names: readonly string[] | null): Choice[] {
  const each = Array.from({ length: classes }, (_, i) => ({ value: String(i), text: names?.[i] ?? String(i) }));
  return [{ value: 'all', text: 'each in turn' }, ...each];
}

function field<T extends Element>(form: HTMLFormElement, name: string, type: new () => T): T {
  const element = form.elements.namedItem(name);
  if (!(element instanceof type)) throw new Error(`the form has no ${type.name} ${name}`);
  return element;
}
