import type { Env, InferenceSession, InferenceSessionFactory, Tensor as OrtTensor, TensorConstructor } from 'onnxruntime-web/wasm';

import { GanExportError } from '../errors';
import type { Graph } from '../manifest';
import type { Tensor, Tensors } from '../tensor';
import type { Files, NamedGraphs, Runtime } from './runtime';

/** What is used of `onnxruntime-web`, of which there are several builds. */
export interface Ort {
  readonly env: Env;
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
}

type Provider = InferenceSession.ExecutionProviderConfig;

const MOST_THREADS = 4;

/** Say where a build's WebAssembly lies, before its first session is opened. */
export function setUp({ env }: Ort, paths: { readonly mjs: string; readonly wasm: string }): void {
  env.wasm.wasmPaths = paths;
  // Threads share memory, which browsers allow only on cross-origin isolated pages.
  env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency, MOST_THREADS) : 1;
  env.logLevel = 'error';
}

/** ONNX Runtime Web, whose sessions run on this execution provider. */
export function createOrtRuntime(ort: Ort, provider: Provider): Runtime {
  const sessions = new Map<string, InferenceSession>();
  return {
    target: 'onnx',
    layout: 'NCHW',
    version: ort.env.versions.web ?? ort.env.versions.common,

    async load(graphs: NamedGraphs, files: Files) {
      for (const [name, graph] of Object.entries(graphs)) {
        sessions.set(name, await openSession(ort, provider, graph, files));
      }
    },

    async run(name, inputs, outputs) {
      const session = sessions.get(name);
      if (session === undefined) throw new GanExportError('runtime', `graph ${name} is not loaded`);
      return runSession(ort, session, inputs, outputs);
    },

    tensorCount: () => null,

    async dispose() {
      const open = [...sessions.values()];
      sessions.clear();
      await Promise.all(open.map((session) => session.release()));
    },
  };
}

async function openSession(ort: Ort, provider: Provider, graph: Graph, files: Files): Promise<InferenceSession> {
  const folder = graph.file.slice(0, graph.file.lastIndexOf('/') + 1);
  return ort.InferenceSession.create(bytesOf(files, graph.file), {
    executionProviders: [provider],
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

async function runSession(
  ort: Ort,
  session: InferenceSession,
  inputs: Tensors,
  outputs: readonly string[],
): Promise<Tensors> {
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, { data, shape }]) => [name, new ort.Tensor('float32', data, shape)]),
  );
  const results = await session.run(feeds, outputs);
  return Object.fromEntries(Object.entries(results).map(([name, result]) => [name, fromOrt(name, result)]));
}

function fromOrt(name: string, { data, dims }: OrtTensor): Tensor {
  if (!(data instanceof Float32Array)) throw new GanExportError('runtime', `output ${name} is not float32`);
  return { shape: dims, data };
}
