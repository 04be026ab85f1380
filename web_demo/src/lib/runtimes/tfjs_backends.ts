import simdUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url';
import plainUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url';
import { env, findBackendFactory, type KernelBackend, registerBackend, removeBackend, setBackend } from '@tensorflow/tfjs-core';

import { GanExportError } from '../errors';
import { openDevice } from './gpu';

export type TfjsBackend = 'cpu' | 'wasm' | 'webgl' | 'webgpu';

type OnLost = (reason: string) => void;

/** Fetches the code of a backend and makes one. */
const BACKENDS: Readonly<Record<TfjsBackend, (onLost: OnLost) => Promise<KernelBackend>>> = {
  async cpu() {
    await import('@tensorflow/tfjs-backend-cpu');
    return make('cpu');
  },

  async wasm() {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    env().set('WASM_HAS_MULTITHREAD_SUPPORT', false); // its workers come from blobs, which a strict CSP forbids
    setWasmPaths({
      'tfjs-backend-wasm.wasm': plainUrl,
      'tfjs-backend-wasm-simd.wasm': simdUrl,
      'tfjs-backend-wasm-threaded-simd.wasm': simdUrl, // asked for, never loaded
    });
    return make('wasm');
  },

  async webgl(onLost: OnLost) {
    const { MathBackendWebGL } = await import('@tensorflow/tfjs-backend-webgl');
    const backend = new MathBackendWebGL();
    const { gl } = backend.getGPGPUContext();
    gl.canvas.addEventListener('webglcontextlost', () => {
      // A lost context says of no fence that it was passed, and TF.js would ask for ever.
      if (gl instanceof WebGL2RenderingContext) gl.clientWaitSync = () => gl.CONDITION_SATISFIED;
      onLost('the WebGL context');
    });
    return backend;
  },

  async webgpu(onLost: OnLost) {
    const { WebGPUBackend } = await import('@tensorflow/tfjs-backend-webgpu');
    const { device, info } = await openDevice(onLost);
    return new WebGPUBackend(device, info);
  },
};

/** A backend of TF.js, which has one of each for the whole page. */
export interface OpenBackend {
  /** Who uses it, told when it is gone. */
  readonly users: Set<OnLost>;
  /** Give it up for all who use it; the next one who opens it gets a new one. */
  readonly giveUp: OnLost;
}

const opened = new Map<TfjsBackend, Promise<OpenBackend>>();

/** How TF.js makes the backends that it registers itself. */
const factories = new Map<TfjsBackend, () => KernelBackend | Promise<KernelBackend>>();

/** The backend of the page, made when nobody has done so yet. */
export function openBackend(name: TfjsBackend): Promise<OpenBackend> {
  const found = opened.get(name);
  if (found !== undefined) return found;
  const opening = makeBackend(name, () => {
    if (opened.get(name) === opening) opened.delete(name);
  });
  opened.set(name, opening);
  opening.catch(() => opened.delete(name));
  return opening;
}

/** Make a backend the one on which TF.js works. */
export async function activate(name: TfjsBackend): Promise<void> {
  if (!(await setBackend(name))) throw new GanExportError('runtime', `TF.js has no ${name} backend here`);
}

async function makeBackend(name: TfjsBackend, forget: () => void): Promise<OpenBackend> {
  const users = new Set<OnLost>();
  const giveUp = (reason: string) => {
    forget();
    const told = [...users];
    users.clear();
    for (const onLost of told) onLost(reason);
    unregister(name);
  };
  const backend = await BACKENDS[name](giveUp);
  unregister(name);
  registerBackend(name, () => backend);
  return { users, giveUp };
}

async function make(name: TfjsBackend): Promise<KernelBackend> {
  const factory = factories.get(name) ?? findBackendFactory(name);
  factories.set(name, factory);
  return factory();
}

function unregister(name: TfjsBackend): void {
  try {
    removeBackend(name); // disposes of it, which a broken one may refuse
  } catch {
    return;
  }
}
