import { pause } from './abort';
import type { Encoded } from './api';
import type { Downloads } from './downloads';
import { PIXELS_A_RUN, requireShape } from './draw';
import type { Engine } from './engine';
import { GanExportError } from './errors';
import { toImage } from './fit';
import { encoderOf, filesOfGraph, type Graph, type Manifest } from './manifest';
import type { Pictures } from './pixels';
import { rowsOf, type Tensor } from './tensor';

/** What the encoder is called beside the graphs of its generator. */
const NAME = 'encoder';

/** Those that have it loaded. */
const ready = new WeakSet<Engine>();

/**
 * Find the latents of pictures that have the size and channels of the generator's own.
 *
 * @param downloads where the encoder's files come from, the first time
 */
export async function encodePictures(
  engine: Engine,
  downloads: Downloads,
  pictures: Pictures,
  signal: AbortSignal | undefined,
): Promise<Encoded> {
  const { runtime } = engine;
  const { spec } = downloads.manifest;
  const { space, graph } = graphFor(engine, downloads.manifest);
  if (!ready.has(engine)) {
    await runtime.load({ [NAME]: graph }, await downloads.get(filesOfGraph(graph)));
    ready.add(engine);
  }
  const name = space === 'w' ? 'ws' : 'z';
  const row = space === 'w' ? [spec.num_ws, spec.w_dim] : [spec.z_dim];
  const { count, width, height } = pictures;
  const latents = empty([count, ...row]);
  const logits = empty([count, spec.c_dim]);
  const outputs = spec.c_dim > 0 ? [name, 'c_logits'] : [name];
  const rows = Math.max(1, Math.floor(PIXELS_A_RUN / (width * height)));
  for (let start = 0; start < count; start += rows) {
    await pause(signal);
    const end = Math.min(start + rows, count);
    const image = toImage(pictures, start, end, runtime.layout, spec.image_range);
    const found = await runtime.run(NAME, { image }, outputs);
    putRows(name, latents, found[name], start, end);
    if (spec.c_dim > 0) putRows('c_logits', logits, found['c_logits'], start, end);
  }
  const probabilities = spec.c_dim > 0 ? softmax(logits) : null;
  const labels = probabilities && rowsAs(probabilities, (chances) => chances.indexOf(Math.max(...chances)));
  return { space, tensor: latents, labels, seeds: Array<number>(count).fill(0), pictures, probabilities };
}

function graphFor({ name, runtime }: Engine, manifest: Manifest): { readonly space: 'w' | 'z'; readonly graph: Graph } {
  const { space, graphs } = encoderOf(manifest);
  const graph = graphs[runtime.target];
  if (graph === undefined) {
    const known = Object.keys(graphs).join(', ') || 'nothing';
    throw new GanExportError('option', `${manifest.name} has an encoder for ${known}, which ${name} does not run`);
  }
  return { space, graph };
}

function empty(shape: readonly number[]): Tensor {
  return { shape, data: new Float32Array(shape.reduce((product, size) => product * size, 1)) };
}

function putRows(name: string, into: Tensor, found: Tensor | undefined, start: number, end: number): void {
  const row = into.shape.slice(1);
  if (found === undefined) throw new GanExportError('manifest', `the encoder has no output ${name}`);
  requireShape(name, found, [end - start, ...row]);
  into.data.set(found.data, start * row.reduce((product, size) => product * size, 1));
}

function softmax(logits: Tensor): Tensor {
  const rows = rowsAs(logits, (values) => {
    const most = Math.max(...values);
    const powers = values.map((value) => Math.exp(value - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  });
  return { shape: logits.shape, data: Float32Array.from(rows.flat()) };
}

/** What becomes of each row of a matrix. */
function rowsAs<T>(tensor: Tensor, change: (row: number[]) => T): T[] {
  return Array.from({ length: tensor.shape[0]! }, (_, at) => change([...rowsOf(tensor, at, at + 1).data]));
}
