import { pause } from './abort';
import type { DrawOptions, LatentOptions, Latents } from './api';
import type { Engine, NamedGraph } from './engine';
import { GanExportError } from './errors';
import { drawInputs, latentInputs } from './inputs';
import type { Graph, Manifest } from './manifest';
import { type Pictures, toPixels } from './pixels';
import type { Runtime } from './runtimes/runtime';
import type { Tensor, Tensors } from './tensor';

/** Pixels of one run of a graph: 4 pictures of 256 x 256. More of them would need more memory, not less time. */
export const PIXELS_A_RUN = 4 * 256 * 256;

/** Of one run: about a second of one processor, so that an abort is heard soon. */
const MULTIPLY_ADDS_A_RUN = 1e9;

/** Rows of one run of a mapping: few enough for an abort to be heard soon. */
const ROWS_A_RUN = 64;

/** One stage of a plan: what to run, and which outputs to ask for. */
interface Step extends NamedGraph {
  readonly outputs: readonly string[];
  /** The output to show before the next stages run. */
  readonly preview: string | null;
}

/** Latents as asked for: through the mapping where there is one, else z itself. */
export async function makeLatents(engine: Engine, manifest: Manifest, options: LatentOptions): Promise<Latents> {
  const { seeds, signal } = options;
  const { z, labels, rows } = latentInputs(options, manifest);
  if (engine.mapping === null) return { space: 'z', tensor: z, labels, seeds: [...seeds] };
  const { name, graph } = engine.mapping;
  const { num_ws: layers, w_dim: width } = manifest.spec;
  const data = new Float32Array(seeds.length * layers * width);
  for (let start = 0; start < seeds.length; start += ROWS_A_RUN) {
    await pause(signal);
    const end = Math.min(start + ROWS_A_RUN, seeds.length);
    const inputs = pick(rows(start, end), graph);
    const { ws } = await engine.runtime.run(name, inputs, ['ws']);
    if (ws === undefined) throw new GanExportError('manifest', `${graph.file} has no output ws`);
    requireShape('ws', ws, [end - start, layers, width]);
    data.set(ws.data, start * layers * width);
  }
  return { space: 'w', tensor: { shape: [seeds.length, layers, width], data }, labels, seeds: [...seeds] };
}

/**
 * Draw latents at some of the sizes that the synthesis gives.
 *
 * @returns the pictures of each size, in the order of `sizes`
 */
export async function drawLatents(
  engine: Engine,
  manifest: Manifest,
  latents: Latents,
  sizes: readonly number[],
  options: DrawOptions,
): Promise<Pictures[]> {
  const { signal, onPreview } = options;
  const names = sizes.map((size) => outputOf(size, manifest));
  const steps = planSteps(engine.synthesis, names, onPreview ? previewNames(manifest) : []);
  const inputs = drawInputs(latents, options, manifest, steps.map(({ graph }) => graph));
  const count = latents.seeds.length;
  const batches = sizes.map((size) => emptyBatch(count, size, manifest.spec.image_channels));
  const rows = picturesARun(Math.max(...sizes), manifest);

  for (let start = 0; start < count; start += rows) {
    const end = Math.min(start + rows, count);
    const toPictures = (name: string, image: Tensor) => picturesOf(name, image, end - start, engine.runtime, manifest);
    const found = await runSteps(engine.runtime, steps, inputs(start, end), signal, (name, image) =>
      onPreview?.(toPictures(name, image), start),
    );
    names.forEach((name, i) => {
      const { data, width, height, channels } = batches[i]!;
      data.set(toPictures(name, found[name]!).data, start * width * height * channels);
    });
  }
  return batches;
}

/** Pixels of what a graph gave, which must be as large as the manifest promises. */
function picturesOf(name: string, image: Tensor, count: number, { layout }: Runtime, { spec }: Manifest): Pictures {
  const size = name === 'image' ? spec.resolution : Number(name.slice('rgb_b'.length));
  const { image_channels: channels } = spec;
  requireShape(name, image, layout === 'NCHW' ? [count, channels, size, size] : [count, size, size, channels]);
  return toPixels(image, layout, spec.image_range);
}

/** @throws GanExportError `runtime` when a graph gave something else than the manifest promises. */
export function requireShape(name: string, { shape }: Tensor, promised: readonly number[]): void {
  if (String(shape) === String(promised)) return;
  throw new GanExportError('runtime', `${name} is [${shape.join(', ')}]; the manifest promises [${promised.join(', ')}]`);
}

/** The sizes that a bundle draws, the smallest first. */
export function sizesOf({ previews, spec }: Manifest): number[] {
  return [...previews, spec.resolution].sort((a, b) => a - b);
}

function picturesARun(size: number, { multiply_adds: cost }: Manifest): number {
  const most = cost > 0 ? MULTIPLY_ADDS_A_RUN / cost : Infinity; // not every bundle knows its cost
  return Math.max(1, Math.floor(Math.min(PIXELS_A_RUN / size ** 2, most)));
}

function outputOf(size: number, manifest: Manifest): string {
  const sizes = sizesOf(manifest);
  if (!sizes.includes(size)) {
    throw new GanExportError('option', `${manifest.name} draws at ${sizes.join(', ')} pixels; not at ${size}`);
  }
  return size === manifest.spec.resolution ? 'image' : `rgb_b${size}`;
}

/** Outputs that can be shown early, the largest first. */
function previewNames({ previews }: Manifest): string[] {
  return [...previews].sort((a, b) => b - a).map((size) => `rgb_b${size}`);
}

/** The stages up to the last that is needed, each with the outputs that are wanted or taken by a later one. */
function planSteps(stages: readonly NamedGraph[], wanted: readonly string[], previews: readonly string[]): Step[] {
  const places = wanted.map((name) => stages.findIndex(({ graph }) => namesOf(graph.outputs).includes(name)));
  const missing = wanted[places.indexOf(-1)];
  if (missing !== undefined) throw new GanExportError('manifest', `the synthesis has no output ${missing}`);
  const last = Math.max(...places);
  return stages.slice(0, last + 1).map(({ name, graph }, i) => {
    const outputs = namesOf(graph.outputs);
    const preview = i < last ? (previews.find((size) => outputs.includes(size)) ?? null) : null;
    const later = stages.slice(i + 1, last + 1).flatMap((next) => namesOf(next.graph.inputs));
    const needed = new Set([...wanted, ...later, preview]);
    return { name, graph, outputs: outputs.filter((output) => needed.has(output)), preview };
  });
}

/** Run stages one after the other; each takes what it lists of all that is known by then. */
async function runSteps(
  runtime: Runtime,
  steps: readonly Step[],
  inputs: Tensors,
  signal: AbortSignal | undefined,
  show: (name: string, image: Tensor) => void,
): Promise<Tensors> {
  let known = inputs;
  for (const { name, graph, outputs, preview } of steps) {
    await pause(signal);
    known = { ...known, ...(await runtime.run(name, pick(known, graph), outputs)) };
    if (preview === null) continue;
    signal?.throwIfAborted();
    show(preview, known[preview]!);
  }
  return known;
}

function pick(known: Tensors, graph: Graph): Tensors {
  const picked = namesOf(graph.inputs).map((name) => {
    const tensor = known[name];
    if (tensor === undefined) throw new GanExportError('manifest', `${graph.file} takes an unknown input, ${name}`);
    return [name, tensor] as const;
  });
  return Object.fromEntries(picked);
}

function emptyBatch(count: number, size: number, channels: number): Pictures {
  return { data: new Uint8ClampedArray(count * size * size * channels), count, width: size, height: size, channels };
}

function namesOf(tensors: Graph['inputs']): string[] {
  return tensors.map(({ name }) => name);
}
