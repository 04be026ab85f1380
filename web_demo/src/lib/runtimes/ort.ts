import { env, InferenceSession, Tensor as OrtTensor } from 'onnxruntime-web/wasm';
import glueUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { GanExportError } from '../errors';
import type { Graph } from '../manifest';
import type { Tensor, Tensors } from '../tensor';
import type { Files, NamedGraphs, Runtime } from './runtime';

const MOST_THREADS = 4;

env.wasm.wasmPaths = { mjs: glueUrl, wasm: wasmUrl };
// Threads share memory, which browsers allow only on cross-origin isolated pages.
env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
env.logLevel = 'error';

/** ONNX Runtime Web on WebAssembly. */
export function createOrtRuntime(): Runtime {
  const sessions = new Map<string, InferenceSession>();
  return {
    target: 'onnx',
    layout: 'NCHW',
    version: env.versions.web ?? env.versions.common,

    async load(graphs: NamedGraphs, files: Files) {
      for (const [name, graph] of Object.entries(graphs)) sessions.set(name, await openSession(graph, files));
    },

    async run(name, inputs, outputs) {
      const session = sessions.get(name);
      if (session === undefined) throw new GanExportError('runtime', `graph ${name} is not loaded`);
      return runSession(session, inputs, outputs);
    },

    tensorCount: () => null,

    async dispose() {
      const open = [...sessions.values()];
      sessions.clear();
      await Promise.all(open.map((session) => session.release()));
    },
  };
}

async function openSession(graph: Graph, files: Files): Promise<InferenceSession> {
  const folder = graph.file.slice(0, graph.file.lastIndexOf('/') + 1);
  return InferenceSession.create(bytesOf(files, graph.file), {
    executionProviders: ['wasm'],
    externalData: graph.weight_files.map((path) => ({
      path: path.startsWith(folder) ? path.slice(folder.length) : path, // as the model names it
      data: bytesOf(files, path),
    })),
  });
}

function bytesOf(files: Files, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw new GanExportError('runtime', `${path} was not fetched`);
  return bytes;
}

async function runSession(session: InferenceSession, inputs: Tensors, outputs: readonly string[]): Promise<Tensors> {
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [name, new OrtTensor('float32', data, shape)]),
  );
  const results = await session.run(feeds, outputs);
  return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, fromOrt(name, result)]));
}

function fromOrt(name: string, { data, dims }: OrtTensor): Tensor {
  if (!(data instanceof Float32Array)) throw new GanExportError('runtime', `output ${name} is not float32`);
  return { shape: dims, data };
}
