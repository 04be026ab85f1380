import { type GraphModel, loadGraphModel } from '@tensorflow/tfjs-converter';
import { io, type NamedTensorMap, type Tensor as TfTensor, tensor } from '@tensorflow/tfjs-core';

import { GanExportError } from '../errors';
import type { Tensors } from '../tensor';

/** A TF.js graph model, held in memory. */
export interface TfjsGraph {
  /** Run on the backend of the moment. Every tensor that it makes is given back. */
  run(inputs: Tensors, outputs: readonly string[]): Promise<Tensors>;
  dispose(): void;
}

/** What is used of a `model.json`. */
interface ModelJson {
  readonly modelTopology: io.ModelArtifacts['modelTopology'] & object;
  readonly weightsManifest: io.WeightsManifestConfig;
  readonly signature: { readonly inputs: object; readonly outputs: object };
  /** A graph that computes, once, what the other one takes beside its inputs. */
  readonly modelInitializer?: io.ModelArtifacts['modelInitializer'] & object;
  readonly initializerSignature?: { readonly outputs: object };
}

/**
 * Make a graph of a `model.json` and its shards.
 *
 * @param model text of the `model.json`
 * @param readShard gives the bytes of a shard by the path that the `model.json` has for it
 */
export async function loadTfjsGraph(
  model: string,
  readShard: (path: string) => Uint8Array | Promise<Uint8Array>,
): Promise<TfjsGraph> {
  const json = parseModel(model);
  const groups = json.weightsManifest;
  const shards = await Promise.all(groups.flatMap((group) => group.paths).map(readShard));
  const { modelTopology, signature, modelInitializer, initializerSignature } = json;
  const weights = { weightSpecs: groups.flatMap((group) => group.weights), weightData: shards.map(exactBuffer) };
  const graph = await loadGraphModel(
    io.fromMemory({ modelTopology, signature, modelInitializer, initializerSignature, ...weights }),
  );
  if (initializerSignature !== undefined) prepare(graph, Object.keys(initializerSignature.outputs));
  return { run: (inputs, outputs) => runGraph(graph, inputs, outputs), dispose: () => graph.dispose() };
}

/** Have the graph compute now what it computes once: TF.js would leave it to the first run. */
function prepare(graph: GraphModel, [first]: string[]): void {
  if (first === undefined) return;
  try {
    graph.execute({}, first); // the graph keeps it
  } catch (error) {
    graph.dispose();
    throw error;
  }
}

async function runGraph(graph: GraphModel, inputs: Tensors, outputs: readonly string[]): Promise<Tensors> {
  const feeds: NamedTensorMap = {};
  let results: TfTensor[] = [];
  try {
    for (const [name, { data, shape }] of Object.entries(inputs)) feeds[name] = tensor(data, [...shape], 'float32');
    // The signature of the model maps these names to those of its nodes.
    const result = graph.execute({ ...feeds }, [...outputs]); // a copy, to which TF.js adds what was prepared
    results = Array.isArray(result) ? result : [result];
    return Object.fromEntries(await Promise.all(outputs.map(async (name, i) => [name, await read(results[i]!)])));
  } finally {
    for (const made of [...Object.values(feeds), ...results]) made.dispose();
  }
}

async function read(result: TfTensor): Promise<Tensors[string]> {
  return { shape: result.shape, data: Float32Array.from(await result.data()) }; // a copy: the tensor is given back
}

function parseModel(text: string): ModelJson {
  const json: unknown = JSON.parse(text);
  if (!isModel(json)) {
    throw new GanExportError('runtime', 'model.json lacks its modelTopology, weightsManifest or signature');
  }
  return json;
}

function isModel(json: unknown): json is ModelJson {
  if (typeof json !== 'object' || json === null) return false;
  const { modelTopology, weightsManifest, signature } = json as Partial<Record<keyof ModelJson, unknown>>;
  return typeof modelTopology === 'object' && typeof signature === 'object' && Array.isArray(weightsManifest);
}

function exactBuffer(bytes: Uint8Array): ArrayBuffer {
  if (bytes.byteLength === bytes.buffer.byteLength) return bytes.buffer as ArrayBuffer; // TF.js copies what it reads
  return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer;
}
