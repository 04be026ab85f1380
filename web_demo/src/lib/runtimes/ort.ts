import type { Env, InferenceSession, InferenceSessionFactory, Tensor as OrtTensor, TensorConstructor } from 'onnxruntime-web/wasm';

import { GanExportError } from '../errors';
import type { Graph } from '../manifest';
import { Queue } from '../queue';
import type { Tensor, Tensors } from '../tensor';
import { bytesOf } from './files';
import type { BareRuntime, Files } from './runtime';

/** What is used of `onnxruntime-web`, of which there are several builds. */
export interface Ort {
  readonly env: Env;
  readonly InferenceSession: InferenceSessionFactory;
  readonly Tensor: TensorConstructor;
}

type Provider = InferenceSession.ExecutionProviderConfig;

/** Where sessions run. */
export interface OrtDevice {
  readonly open: () => Promise<Provider>;
  readonly close: () => void;
}

const MOST_THREADS = 4;

/** The model y = x, with which a build gets itself ready. */
const IDENTITY = 'CAg6NwoQCgF4EgF5IghJZGVudGl0eRIBZ1oPCgF4EgoKCAgBEgQKAggBYg8KAXkSCgoICAESBAoCCAFCBAoAEBE=';

/** A build of `onnxruntime-web`, of which the page, or the worker, has one. */
export interface OrtBuild {
  readonly ort: Ort;
  readonly queue: Queue;
  /** Calls into its WebAssembly wait here even for one that was given up: a second call would stop it for good. */
  readonly calls: Queue;
}

/** Say where a build's WebAssembly lies, before its first session is opened. */
export function setUp(ort: Ort, paths: { readonly mjs: string; readonly wasm: string }): OrtBuild {
  const { env } = ort;
  env.wasm.wasmPaths = paths;
  // Threads share memory, which browsers allow only on cross-origin isolated pages.
  env.wasm.numThreads = globalThis.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, MOST_THREADS) : 1;
  env.logLevel = 'error';
  return { ort, queue: new Queue(), calls: new Queue() };
}

/** ONNX Runtime Web, whose sessions run on this device. */
export function createOrt({ ort, queue, calls }: OrtBuild, device: OrtDevice): BareRuntime {
  const sessions = new Map<string, InferenceSession>();
  let provider: Provider = 'wasm';

  async function release(): Promise<void> {
    const open = [...sessions.values()];
    sessions.clear();
    for (const session of open) await session.release();
  }

  return {
    target: 'onnx',
    layout: 'NCHW',
    version: ort.env.versions.web ?? ort.env.versions.common,
    queue,

    async start() {
      provider = await device.open();
      await calls.add(async () => {
        const session = await ort.InferenceSession.create(fromBase64(IDENTITY), { executionProviders: [provider] });
        await session.release();
      });
    },

    async load(graphs, files) {
      for (const [name, graph] of Object.entries(graphs)) {
        sessions.set(name, await calls.add(() => openSession(ort, provider, graph, files)));
      }
    },

    async run(name, inputs, outputs) {
      const session = sessions.get(name);
      if (session === undefined) throw new GanExportError('runtime', `graph ${name} is not loaded`);
      return calls.add(() => runSession(ort, session, inputs, outputs));
    },

    tensorCount: () => null,

    async dispose() {
      await calls.add(release);
      device.close();
    },

    abandon() {
      calls.add(release).catch(() => undefined); // it may be past that
      device.close();
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

function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}
