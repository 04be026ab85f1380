import { GanExportError, messageOf } from '../errors';
import type { Graphs, Manifest, TargetName } from '../manifest';
import { hasGraphicsCard } from './gpu';
import { startGuarded, type TimeLimits } from './guarded';
import type { CreateBare, Runtime } from './runtime';

interface Entry {
  readonly target: TargetName;
  /** Whether this device is to try it for a bundle where the visitor named no runtime. */
  readonly byDefault: (manifest: Manifest) => boolean | Promise<boolean>;
  /** Fetches its code. */
  readonly fetchCode: () => Promise<CreateBare>;
}

const always = () => true;
const never = () => false;

/** Multiply-adds of a picture up to which WebAssembly has drawn it before a graphics card has been asked. */
const SMALL = 100_000_000;

/** A graphics card pays for what is large, or of unknown size; its code is a download of twice the size. */
function onGraphicsCard({ multiply_adds: cost }: Manifest): boolean | Promise<boolean> {
  return (cost === 0 || cost > SMALL) && hasGraphicsCard();
}

/** Every runtime, the preferred one first. The code of a runtime is fetched when it is chosen. */
const RUNTIMES = {
  'ort-webgpu': {
    target: 'onnx',
    byDefault: onGraphicsCard,
    fetchCode: async () => (await import('./ort_webgpu')).createOrtWebgpu,
  },
  'ort-wasm': {
    target: 'onnx',
    byDefault: always,
    fetchCode: async () => (await import('./ort_wasm')).createOrtWasm,
  },
  'tfjs-webgpu': {
    target: 'tfjs',
    byDefault: never, // where there is WebGPU, ONNX Runtime uses it too
    fetchCode: async () => (await import('./tfjs')).tfjsOn('webgpu'),
  },
  'tfjs-webgl': {
    target: 'tfjs',
    byDefault: always,
    fetchCode: async () => (await import('./tfjs')).tfjsOn('webgl'),
  },
  'tfjs-wasm': {
    target: 'tfjs',
    byDefault: always,
    fetchCode: async () => (await import('./tfjs')).tfjsOn('wasm'),
  },
  'tfjs-cpu': {
    target: 'tfjs',
    byDefault: always,
    fetchCode: async () => (await import('./tfjs')).tfjsOn('cpu'),
  },
} as const satisfies Record<string, Entry>;

export type RuntimeName = keyof typeof RUNTIMES;

/** Names of all runtimes. */
export const runtimeNames = Object.keys(RUNTIMES) as RuntimeName[];

/** Names of the runtimes for which the bundle has artefacts. */
export function runtimesFor(manifest: Manifest): RuntimeName[] {
  return runtimeNames.filter((name) => manifest.targets[RUNTIMES[name].target] !== undefined);
}

/**
 * Names of the runtimes to try on this device, in order: the wanted one, then those that are tried without a wish.
 *
 * @throws GanExportError `option` when there is none of that name or the bundle has no artefacts for any.
 */
export async function candidates(manifest: Manifest, wanted?: string): Promise<RuntimeName[]> {
  const first = wanted ? [chooseRuntime(manifest, wanted)] : [];
  const rest = runtimesFor(manifest).filter((name) => name !== wanted);
  const tried = await Promise.all(rest.map((name) => RUNTIMES[name].byDefault(manifest)));
  const names = [...first, ...rest.filter((_, i) => tried[i])];
  if (names.length === 0) throw new GanExportError('option', `${manifest.name} has nothing that a browser can run`);
  return names;
}

/**
 * The runtime of this name, or the one that runs on every device when none is given.
 *
 * @throws GanExportError `option` when there is none of that name or the bundle has no artefacts for it.
 */
export function chooseRuntime(manifest: Manifest, name?: string): RuntimeName {
  const possible = runtimesFor(manifest);
  const chosen = possible.find((candidate) => (name ? candidate === name : RUNTIMES[candidate].byDefault === always));
  if (chosen === undefined) {
    throw new GanExportError('option', `${manifest.name} runs on ${possible.join(', ')}; not on ${name ?? 'any other'}`);
  }
  return chosen;
}

/** The graphs of the bundle that a runtime runs. */
export function graphsFor(manifest: Manifest, name: RuntimeName): Graphs {
  const { target } = RUNTIMES[name];
  const graphs = manifest.targets[target];
  if (graphs === undefined) throw new GanExportError('option', `${manifest.name} has nothing for ${name}: no ${target}`);
  return graphs;
}

/**
 * Start a runtime.
 *
 * @param limits time-outs, where the usual ones do not fit
 * @throws GanExportError `runtime` when this browser does not let it, `broken` when it does not answer.
 */
export async function createRuntime(name: RuntimeName, limits?: TimeLimits): Promise<Runtime> {
  return startGuarded(name, await fetchCode(name), limits);
}

async function fetchCode(name: RuntimeName): Promise<CreateBare> {
  try {
    return await RUNTIMES[name].fetchCode();
  } catch (error) {
    throw new GanExportError('runtime', `${name} could not start: ${messageOf(error)}`, { cause: error });
  }
}
