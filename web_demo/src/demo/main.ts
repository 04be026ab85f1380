import { fetchManifest, type Generator, type Manifest, verifyBundle } from '../lib';
import { messageOf } from '../lib/errors';
import { GeneratorSlot } from '../lib/generator_slot';
import { chooseRuntime } from '../lib/runtimes/registry';
import { Controls, runtimeTitle } from './controls';
import { byId } from './dom';
import { Grid } from './grid';
import { fetchModels, type ModelEntry } from './models';
import { PictureDialog } from './picture_dialog';
import { readState, type State, writeState } from './state';
import { Status } from './status';

declare global {
  interface Window {
    /** For the console: draw a bundle's golden cases here and compare. */
    ganexportVerify: typeof verifyBundle;
  }
}

const PICTURES = 16;
/** Pictures at a time: small ones all at once, large ones one by one so that each is seen as soon as it is there. */
const PIXELS_AT_ONCE = PICTURES * 64 * 64;

class Page {
  readonly #status = new Status();
  readonly #dialog = new PictureDialog((seed) => this.#go({ ...this.#state, seed }));
  readonly #grid = new Grid(PICTURES, (drawn) => this.#dialog.open(drawn, this.#settings()));
  readonly #controls: Controls;
  #state: State;
  #running = new AbortController();
  readonly #manifests = new Map<string, Manifest>();
  readonly #slot = new GeneratorSlot({ onProgress: (progress) => this.#status.load(progress) });

  constructor(readonly models: readonly ModelEntry[]) {
    this.#controls = new Controls(models, (state) => this.#go(state), PICTURES);
    this.#state = readState(location.hash);
    window.addEventListener('hashchange', () => this.#go(readState(location.hash)));
    this.#go(this.#state);
  }

  /** Show a state; whatever was on its way before is dropped. */
  #go(state: State): void {
    this.#state = state;
    this.#running.abort();
    this.#running = new AbortController();
    const { signal } = this.#running;
    this.#grid.busy = true;
    this.#draw(state, signal)
      .catch((error: unknown) => {
        if (!signal.aborted) this.#status.fail(messageOf(error));
      })
      .finally(() => {
        if (!signal.aborted) this.#grid.busy = false;
      });
  }

  async #draw(wanted: State, signal: AbortSignal): Promise<void> {
    const entry = this.models.find(({ name }) => name === wanted.model) ?? this.models[0]!;
    const manifest = this.#manifests.get(entry.manifest) ?? (await fetchManifest(entry.manifest, signal));
    this.#manifests.set(entry.manifest, manifest);
    const runtime = chooseRuntime(manifest, wanted.runtime || undefined);
    const state = { ...wanted, model: entry.name, runtime, psi: wanted.psi ?? manifest.defaults.truncation_psi };
    this.#state = state;
    this.#controls.show(state, manifest);
    this.#describe(manifest);
    history.replaceState(null, '', writeState(state));

    const generator = await this.#slot.open(entry.manifest, runtime);
    signal.throwIfAborted();
    const start = performance.now();
    await this.#drawAll(generator, state, signal);
    const seconds = ((performance.now() - start) / 1000).toFixed(2);
    this.#status.say(`${PICTURES} pictures in ${seconds} s on ${runtimeTitle(runtime)}, version ${generator.runtimeVersion}`);
  }

  async #drawAll(generator: Generator, { label, seed, psi }: State, signal: AbortSignal): Promise<void> {
    const { spec, labels } = generator.manifest;
    const step = Math.max(1, Math.floor(PIXELS_AT_ONCE / spec.resolution ** 2));
    for (let first = 0; first < PICTURES; first += step) {
      const positions = Array.from({ length: Math.min(step, PICTURES - first) }, (_, i) => first + i);
      const classes = positions.map((at) => (label === 'all' ? at % spec.c_dim : Number(label)));
      const pictures = await generator.generate({
        seeds: positions.map((at) => seed + at),
        label: spec.c_dim > 0 ? classes : undefined,
        psi: spec.num_ws > 0 ? (psi ?? undefined) : undefined,
        signal,
      });
      signal.throwIfAborted();
      positions.forEach((at, index) => {
        const name = spec.c_dim > 0 ? (labels?.[classes[index]!] ?? String(classes[index])) : null;
        this.#grid.show(at, { pictures, index, seed: seed + at, label: name });
      });
    }
  }

  #describe({ name, spec, provenance }: Manifest): void {
    document.title = `${name} · ganexport`;
    byId('title', HTMLHeadingElement).textContent = name;
    const credits = `${spec.architecture}, ${spec.resolution} × ${spec.resolution} pixels; weights: ${provenance.licence}.`;
    byId('credits', HTMLSpanElement).textContent = credits;
  }

  /** The settings of the pictures, in words. */
  #settings(): string {
    const { model, psi, runtime } = this.#state;
    return [model, psi === null ? '' : `psi ${psi}`, runtimeTitle(runtime)].filter(Boolean).join(' · ');
  }
}

window.ganexportVerify = verifyBundle;
try {
  new Page(await fetchModels());
} catch (error) {
  new Status().fail(messageOf(error));
}
