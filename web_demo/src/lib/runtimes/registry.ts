import { GanExportError, messageOf } from '../errors';
import type { Graphs, Manifest, TargetName } from '../manifest';
import type { Runtime } from './runtime';

interface Entry {
  readonly target: TargetName;
  readonly create: () => Promise<Runtime>;
}

/** Every runtime, the preferred one first. The code of a runtime is fetched when it is chosen. */
const RUNTIMES = {
  'ort-wasm': { target: 'onnx', create: async () => (await import('./ort')).createOrtRuntime() },
  'tfjs-webgl': { target: 'tfjs', create: async () => (await import('./tfjs')).createTfjsRuntime('webgl') },
  'tfjs-wasm': { target: 'tfjs', create: async () => (await import('./tfjs')).createTfjsRuntime('wasm') },
  'tfjs-cpu': { target: 'tfjs', create: async () => (await import('./tfjs')).createTfjsRuntime('cpu') },
} as const satisfies Record<string, Entry>;

export type RuntimeName = keyof typeof RUNTIMES;

/** Names of all runtimes. */
export const runtimeNames = Object.keys(RUNTIMES) as RuntimeName[];

/** Names of the runtimes for which the bundle has artefacts. */
export function runtimesFor(manifest: Manifest): RuntimeName[] {
  return runtimeNames.filter((name) => manifest.targets[RUNTIMES[name].target] !== undefined);
}

/**
 * The runtime of this name, or the preferred one when none is given.
 *
 * @throws GanExportError `option` when there is none of that name or the bundle has no artefacts for it.
 */
export function chooseRuntime(manifest: Manifest, name?: string): RuntimeName {
  const possible = runtimesFor(manifest);
  const chosen = name ? possible.find((candidate) => candidate === name) : possible[0];
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
 * @throws GanExportError `runtime` when this browser does not let it.
 */
export async function createRuntime(name: RuntimeName): Promise<Runtime> {
  try {
    return await RUNTIMES[name].create();
  } catch (error) {
    throw new GanExportError('runtime', `${name} could not start: ${messageOf(error)}`, { cause: error });
  }
}
