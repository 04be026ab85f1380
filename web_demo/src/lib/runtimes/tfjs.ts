import { enableProdMode, engine, version_core } from '@tensorflow/tfjs-core';

import { GanExportError } from '../errors';
import { Queue } from '../queue';
import { bytesOf } from './files';
import type { CreateBare, BareRuntime, Files } from './runtime';
import { activate, openBackend, type OpenBackend, type TfjsBackend } from './tfjs_backends';
import { loadTfjsGraph, type TfjsGraph } from './tfjs_graph';

/** TF.js has one backend at a time for the whole page: whoever uses it waits for the one before. */
const queue = new Queue();

enableProdMode();

/** TensorFlow.js on one of its backends. */
export function tfjsOn(backend: TfjsBackend): CreateBare {
  return (onLost) => createTfjs(backend, onLost);
}

function createTfjs(backend: TfjsBackend, onLost: (reason: string) => void): BareRuntime {
  const graphs = new Map<string, TfjsGraph>();
  let open: OpenBackend | null = null;

  function letGo(): void {
    open?.users.delete(onLost);
    for (const graph of graphs.values()) graph.dispose();
    graphs.clear();
  }

  return {
    target: 'tfjs',
    layout: 'NHWC',
    version: version_core,
    queue,

    async start() {
      open = await openBackend(backend);
      open.users.add(onLost);
      await activate(backend);
    },

    async load(named, files) {
      await activate(backend);
      for (const [name, { file }] of Object.entries(named)) {
        const folder = file.slice(0, file.lastIndexOf('/') + 1);
        graphs.set(name, await loadTfjsGraph(textOf(files, file), (path) => bytesOf(files, folder + path)));
      }
    },

    async run(name, inputs, outputs) {
      const graph = graphs.get(name);
      if (graph === undefined) throw new GanExportError('runtime', `graph ${name} is not loaded`);
      await activate(backend);
      return graph.run(inputs, outputs);
    },

    tensorCount: () => engine().state.numTensors,

    async dispose() {
      letGo();
    },

    abandon() {
      letGo();
      open?.giveUp(`its ${backend} backend was given up`);
    },
  };
}

function textOf(files: Files, path: string): string {
  return new TextDecoder().decode(bytesOf(files, path));
}
