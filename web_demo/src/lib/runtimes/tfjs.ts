import simdUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm-simd.wasm?url';
import plainUrl from '@tensorflow/tfjs-backend-wasm/wasm-out/tfjs-backend-wasm.wasm?url';
import { enableProdMode, env, memory, setBackend, version_core } from '@tensorflow/tfjs-core';

import { GanExportError } from '../errors';
import { Queue } from '../queue';
import type { Files, NamedGraphs, Runtime } from './runtime';
import { loadTfjsGraph, type TfjsGraph } from './tfjs_graph';

/** The code of a backend is fetched when it is chosen. */
const BACKENDS = {
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  async wasm() {
    const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
    env().set('WASM_HAS_MULTITHREAD_SUPPORT', false); // its workers come from blobs, which a strict CSP forbids
    setWasmPaths({
      'tfjs-backend-wasm.wasm': plainUrl,
      'tfjs-backend-wasm-simd.wasm': simdUrl,
      'tfjs-backend-wasm-threaded-simd.wasm': simdUrl, // asked for, never loaded
    });
  },
} as const;

export type TfjsBackend = keyof typeof BACKENDS;

const prepared = new Set<TfjsBackend>();

/** TF.js has one backend at a time for the whole page: whoever uses it waits for the one before. */
const queue = new Queue();
let active: TfjsBackend | null = null;

enableProdMode();

/** TensorFlow.js on one of its backends. */
export async function createTfjsRuntime(backend: TfjsBackend): Promise<Runtime> {
  if (!prepared.has(backend)) await BACKENDS[backend]();
  prepared.add(backend);
  await onBackend(backend, async () => undefined);
  const graphs = new Map<string, TfjsGraph>();
  return {
    target: 'tfjs',
    layout: 'NHWC',
    version: version_core,

    load: (named: NamedGraphs, files: Files) =>
      onBackend(backend, async () => {
        for (const [name, { file }] of Object.entries(named)) {
          const folder = file.slice(0, file.lastIndexOf('/') + 1);
          graphs.set(name, await loadTfjsGraph(textOf(files, file), (path) => bytesOf(files, folder + path)));
        }
      }),

    run: (name, inputs, outputs) =>
      onBackend(backend, async () => {
        const graph = graphs.get(name);
        if (graph === undefined) throw new GanExportError('runtime', `graph ${name} is not loaded`);
        return graph.run(inputs, outputs);
      }),

    tensorCount: () => memory().numTensors,

    async dispose() {
      for (const graph of graphs.values()) graph.dispose();
      graphs.clear();
    },
  };
}

function onBackend<T>(backend: TfjsBackend, task: () => Promise<T>): Promise<T> {
  return queue.add(async () => {
    if (active !== backend) {
      active = null;
      if (!(await setBackend(backend))) throw new GanExportError('runtime', `TF.js has no ${backend} backend here`);
      active = backend;
    }
    return task();
  });
}

function bytesOf(files: Files, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw new GanExportError('runtime', `${path} was not fetched`);
  return bytes;
}

function textOf(files: Files, path: string): string {
  return new TextDecoder().decode(bytesOf(files, path));
}
