import { vi } from 'vitest';

import { sha256 } from '../src/lib/loading';
import type { Graph, Graphs, Manifest } from '../src/lib/manifest';
import type { Runtime } from '../src/lib/runtimes/runtime';
import { writeSafetensors } from '../src/lib/safetensors';
import type { Tensor, Tensors } from '../src/lib/tensor';
import { manifestOf } from './manifest_of';

/** So that 5 pictures need two runs. */
export const RESOLUTION = 256;
export const FILE = new TextEncoder().encode('graph');
export const ADDRESS = 'https://example.org/ganexport.json';

/** Addresses that were asked for. */
export function fetched(): string[] {
  return vi.mocked(fetch).mock.calls.map(([url]) => String(url));
}

/** One call of a runtime. */
export interface Run {
  readonly graph: string;
  readonly inputs: Tensors;
  readonly outputs: readonly string[];
}

/** A runtime whose pictures are grey: the first number of each picture's ws, which is its first psi. */
export class FakeRuntime implements Runtime {
  readonly target = 'onnx';
  readonly layout = 'NCHW';
  readonly version = '1';
  readonly runs: Run[] = [];
  /** Names of the graphs of each load. */
  readonly loads: string[][] = [];
  disposed = 0;
  /** Called before a run; what it throws is that run's failure. */
  before: (run: Run) => void | Promise<void> = () => undefined;

  async load(graphs: object): Promise<void> {
    this.loads.push(Object.keys(graphs));
  }

  async run(graph: string, inputs: Tensors, outputs: readonly string[]): Promise<Tensors> {
    const run = { graph, inputs, outputs };
    this.runs.push(run);
    await this.before(run);
    if (graph === 'encoder') return encoded(inputs['image']!);
    if (graph === 'mapping') return { ws: mapped(inputs['truncation_psi']!) };
    return Object.fromEntries(outputs.map((name) => [name, grey(name, inputs['ws']!)]));
  }

  tensorCount(): number {
    return 7;
  }

  async dispose(): Promise<void> {
    this.disposed++;
  }
}

/** z [N, 5]: five times the first value of each picture; c_logits [N, 3]: it, 0 and 0. */
function encoded({ shape, data }: Tensor): Tensors {
  const count = shape[0]!;
  const firsts = Array.from({ length: count }, (_, at) => data[(at * data.length) / count]!);
  return {
    z: { shape: [count, 5], data: Float32Array.from(firsts.flatMap((first) => Array<number>(5).fill(first))) },
    c_logits: { shape: [count, 3], data: Float32Array.from(firsts.flatMap((first) => [first, 0, 0])) },
  };
}

/** [N, 4] -> [N, 4, 2]: each psi twice. */
function mapped({ shape, data }: Tensor): Tensor {
  return { shape: [...shape, 2], data: Float32Array.from({ length: data.length * 2 }, (_, i) => data[i >> 1]!) };
}

function grey(name: string, ws: Tensor): Tensor {
  const size = name === 'image' ? RESOLUTION : Number(name.split('_b')[1]);
  const plane = size * size;
  const data = Float32Array.from({ length: ws.shape[0]! * plane }, (_, i) => ws.data[Math.floor(i / plane) * 8]!);
  return { shape: [ws.shape[0]!, 1, size, size], data };
}

/** A bundle of two stages with a direction, for both targets, and an encoder for one of them, whose every request is answered. */
export async function serveBundle(): Promise<Manifest> {
  const vectors = writeSafetensors(new Map([['pca-0', { dtype: 'F32', shape: [2], data: Float32Array.of(3, 4) }]]));
  const manifest = await bundle(vectors);
  const bodyOf = (url: URL) =>
    url.href.endsWith('.json') ? JSON.stringify(manifest) : url.href.endsWith('.safetensors') ? vectors : FILE;
  vi.stubGlobal('fetch', vi.fn(async (url: URL) => new Response(bodyOf(url) as BodyInit)));
  return manifest;
}

async function bundle(vectors: Uint8Array): Promise<Manifest> {
  const entry = { bytes: FILE.length, sha256: await sha256(FILE) };
  const direction = { name: 'pca-0', title: 'age', method: 'pca', space: 'w', layers: [0, 4], range: [-2, 2] } as const;
  return manifestOf(
    { resolution: RESOLUTION },
    {
      previews: [32, 64],
      targets: { onnx: graphs('graph.onnx'), tfjs: graphs('graph.tfjs') },
      files: {
        'graph.onnx': entry,
        'graph.tfjs': entry,
        'shared.bin': entry,
        'own.bin': entry,
        'encoder.onnx': entry,
        'directions.safetensors': { bytes: vectors.length, sha256: await sha256(vectors) },
      },
      defaults: { truncation_psi: 1, noise_mode: 'const', inputs: { shift: [3, 4] } },
      encoder: {
        file: null,
        weights_sha256: '0'.repeat(64),
        space: 'z',
        graphs: { onnx: graph('encoder.onnx', [], ['image'], ['z', 'c_logits']) },
        figures: {},
      },
      directions: { file: 'directions.safetensors', items: [{ ...direction, explained: 0.5, preview: null }] },
    },
  );
}

function graphs(file: string): Graphs {
  return {
    mapping: graph(file, ['shared.bin'], ['z', 'truncation_psi'], ['ws']),
    synthesis: [
      graph(file, ['shared.bin', 'own.bin'], ['ws', 'shift'], ['x_b64', 'rgb_b32', 'rgb_b64']),
      graph(file, [], ['ws', 'x_b64', 'rgb_b64'], ['image']),
    ],
    generator: null,
  };
}

function graph(file: string, weights: readonly string[], inputs: readonly string[], outputs: readonly string[]): Graph {
  const tensor = (name: string) => ({ name, shape: ['N', name === 'shift' ? 2 : 4] as const, dtype: 'float32' as const });
  return {
    file,
    weight_files: weights,
    resolution: null,
    inputs: inputs.map(tensor),
    outputs: outputs.map(tensor),
  };
}
