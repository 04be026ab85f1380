import { InferenceSession } from 'onnxruntime-web/wasm';
import { beforeEach, expect, it, vi } from 'vitest';

import { filesOfGraph, type Graph } from '../src/lib/manifest';

vi.mock('onnxruntime-web/ort-wasm-simd-threaded.mjs?url', () => ({ default: 'ort.mjs' }));
vi.mock('onnxruntime-web/ort-wasm-simd-threaded.wasm?url', () => ({ default: 'ort.wasm' }));
vi.mock('onnxruntime-web/wasm', () => ({
  env: { wasm: {}, versions: { common: '1' } },
  Tensor: class {},
  InferenceSession: { create: vi.fn(async () => ({ release: async () => undefined })) },
}));

const { createOrtWasm } = await import('../src/lib/runtimes/ort_wasm');

const GRAPH: Graph = {
  file: 'onnx/synthesis.onnx',
  weight_files: ['onnx/weights1.bin', 'onnx/weights2.bin'],
  resolution: 8,
  inputs: [],
  outputs: [],
};
const FILES = new Map(filesOfGraph(GRAPH).map((path, i) => [path, Uint8Array.of(i)]));

beforeEach(() => vi.mocked(InferenceSession.create).mockClear());

it('needs a graph and the weights beside it', () => {
  expect(filesOfGraph(GRAPH)).toEqual(['onnx/synthesis.onnx', 'onnx/weights1.bin', 'onnx/weights2.bin']);
});

it('gives the weights under the names that the graph has for them', async () => {
  await createOrtWasm().load({ 'synthesis.0': GRAPH }, FILES);
  expect(InferenceSession.create).toHaveBeenCalledExactlyOnceWith(Uint8Array.of(0), {
    executionProviders: ['wasm'],
    externalData: [
      { path: 'weights1.bin', data: Uint8Array.of(1) },
      { path: 'weights2.bin', data: Uint8Array.of(2) },
    ],
  });
});

it.each([0, 1, 2])('opens nothing when file %i was not fetched', async (missing) => {
  const path = filesOfGraph(GRAPH)[missing]!;
  const files = new Map([...FILES].filter(([name]) => name !== path));
  await expect(createOrtWasm().load({ 'synthesis.0': GRAPH }, files)).rejects.toThrow(`${path} was not fetched`);
  expect(InferenceSession.create).not.toHaveBeenCalled();
});

it('does not release what was given up before the call in there comes back', async () => {
  let comeBack = (_: object): void => undefined;
  const session = {
    run: () => new Promise<object>((resolve) => (comeBack = resolve)),
    release: vi.fn(async () => undefined),
  };
  vi.mocked(InferenceSession.create).mockResolvedValueOnce(session as unknown as InferenceSession);
  const runtime = createOrtWasm();
  await runtime.load({ mapping: GRAPH }, FILES);
  const running = runtime.run('mapping', {}, []);
  runtime.abandon();
  const next = createOrtWasm().load({ mapping: GRAPH }, FILES);
  await new Promise((resolve) => setTimeout(resolve));
  expect(session.release).not.toHaveBeenCalled();
  expect(InferenceSession.create).toHaveBeenCalledOnce();
  comeBack({});
  await Promise.all([running, next]);
  expect(session.release).toHaveBeenCalledOnce();
  expect(InferenceSession.create).toHaveBeenCalledTimes(2);
});
