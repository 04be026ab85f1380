import '@tensorflow/tfjs-backend-cpu';

import { engine, setBackend } from '@tensorflow/tfjs-core';
import { beforeAll, expect, it } from 'vitest';

import { loadTfjsGraph } from '../src/lib/runtimes/tfjs_graph';

const SHAPE = { dim: [{ size: '2' }] };
const FLOAT = { type: 'DT_FLOAT' };
const value = (name: string) => ({ name: `${name}:0`, dtype: 'DT_FLOAT', tensorShape: SHAPE });

const weight = { name: 'w', op: 'Const', attr: { dtype: FLOAT, value: { tensor: { dtype: 'DT_FLOAT', tensorShape: SHAPE } } } };
const placeholder = (name: string) => ({ name, op: 'Placeholder', attr: { dtype: FLOAT, shape: { shape: SHAPE } } });
const node = (name: string, op: string, ...input: string[]) => ({ name, op, input, attr: { T: FLOAT } });
const graph = (...nodes: object[]) => ({ node: nodes, library: {}, versions: { producer: 1882 } });

/** y = x + p, where p = w², with w = (3, 4), is computed once. */
const MODEL = {
  signature: {
    inputs: { x: value('x'), p: { ...value('p'), resourceId: 0 } },
    outputs: { y: value('y') },
  },
  modelTopology: graph(placeholder('x'), placeholder('p'), node('y', 'AddV2', 'x', 'p')),
  modelInitializer: graph(weight, node('p', 'Mul', 'w', 'w')),
  initializerSignature: { inputs: {}, outputs: { p: { ...value('p'), resourceId: 0 } } },
  weightsManifest: [{ paths: ['w.bin'], weights: [{ name: 'w', shape: [2], dtype: 'float32' }] }],
};

/** The weights within a larger buffer, or with one of their own. */
const shard = (before: number) => new Uint8Array(new Float32Array([...Array(before).fill(9), 3, 4]).buffer, 4 * before);

beforeAll(() => setBackend('cpu'));

it.each([0, 1])('computes what is prepared when it loads a graph, and keeps it (weights after %i others)', async (before) => {
  const atFirst = engine().state.numTensors;
  const loaded = await loadTfjsGraph(JSON.stringify(MODEL), () => shard(before));
  expect(engine().state.numTensors).toBe(atFirst + 2);
  for (const x of [1, 2]) {
    const { y } = await loaded.run({ x: { shape: [2], data: new Float32Array([x, 0]) } }, ['y']);
    expect([...y!.data]).toEqual([9 + x, 16]);
    expect(engine().state.numTensors).toBe(atFirst + 2);
  }
  loaded.dispose();
  expect(engine().state.numTensors).toBe(atFirst);
});

it('gives the weights back where they cannot be prepared', async () => {
  const atFirst = engine().state.numTensors;
  const wrong = { ...MODEL, modelInitializer: graph(weight, node('p', 'Reshape', 'w', 'w')) };
  await expect(loadTfjsGraph(JSON.stringify(wrong), () => shard(0))).rejects.toThrow();
  expect(engine().state.numTensors).toBe(atFirst);
});
