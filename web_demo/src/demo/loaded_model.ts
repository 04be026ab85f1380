import type { Generator } from '../lib/api';
import { GeneratorSlot } from '../lib/generator_slot';
import type { Status } from './status';

/** The one model that the page holds in memory. */
export class LoadedModel {
  readonly #slot: GeneratorSlot;

  constructor(status: Status) {
    this.#slot = new GeneratorSlot({ onProgress: (progress) => status.load(progress) });
  }

  /** The model of this address on this runtime; another one that was here is given back. */
  generator(url: string, runtime: string | undefined): Promise<Generator> {
    return this.#slot.open(url, runtime);
  }
}
