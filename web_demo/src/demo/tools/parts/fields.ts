import { make } from '../../dom';
import { LARGEST_SEED } from '../../state';

let fields = 0;

/** A new id, to tie a label to its field. */
export function newId(name: string): string {
  return `${name}-${++fields}`;
}

/** A field for a seed; `onChange` hears only of seeds. */
export function seedField(label: string, onChange?: (seed: number) => void): HTMLInputElement {
  const attributes = { type: 'number', inputmode: 'numeric', min: 0, max: LARGEST_SEED, step: 1, required: true };
  const input = make('input', { ...attributes, 'aria-label': label });
  input.addEventListener('change', () => input.checkValidity() && onChange?.(input.valueAsNumber));
  return input;
}

export interface SliderOptions {
  readonly label: string;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** The value in words, beside the label and for screen readers. */
  readonly describe?: (value: number) => string;
  /** While it moves. */
  readonly onInput?: (value: number) => void;
  /** When it is let go. */
  readonly onChange?: (value: number) => void;
}

/** A slider with its name and value above it. */
export class Slider {
  readonly element: HTMLDivElement;
  readonly input: HTMLInputElement;
  readonly #output: HTMLOutputElement;
  readonly #options: SliderOptions;

  constructor(options: SliderOptions) {
    const { label, min, max, step, onInput, onChange } = options;
    const id = newId('slider');
    this.#options = options;
    this.input = make('input', { type: 'range', id, min, max, step });
    this.#output = make('output', { for: id, 'aria-hidden': 'true' }); // said by the slider itself
    this.element = make('div', { class: 'field' }, make('label', { for: id }, label, this.#output), this.input);
    this.input.addEventListener('input', () => {
      this.#describe();
      onInput?.(this.value);
    });
    this.input.addEventListener('change', () => onChange?.(this.value));
  }

  get value(): number {
    return this.input.valueAsNumber;
  }

  set value(value: number) {
    this.input.value = String(value);
    this.#describe();
  }

  #describe(): void {
    const text = (this.#options.describe ?? String)(this.value);
    this.#output.textContent = text;
    this.input.setAttribute('aria-valuetext', text);
  }
}
