/**
 * Run TF.js graphs in Node: `node tfjs_runner.mjs JOB_FOLDER`.
 *
 * The folder holds `job.json` (a `Job`) and `inputs.safetensors`; `outputs.safetensors` is written into it. Lines of JSON
 * on stdout say which run is done, the last one with what all were; a failure is one line on stderr and exit status 1.
 */
import '@tensorflow/tfjs-backend-cpu';
import '@tensorflow/tfjs-backend-wasm';

import { readFile, writeFile } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize } from 'node:path';

import { enableProdMode, memory, setBackend, version_core } from '@tensorflow/tfjs-core';

import { messageOf } from '../lib/errors';
import { loadTfjsGraph, type TfjsGraph } from '../lib/runtimes/tfjs_graph';
import { readSafetensors, type StoredTensor, writeSafetensors } from '../lib/safetensors';
import type { Tensor } from '../lib/tensor';
import { parseJob, type Run } from './job';

async function main(folder: string | undefined): Promise<void> {
  if (folder === undefined) throw new Error('usage: tfjs_runner.mjs JOB_FOLDER');
  const job = parseJob(await readFile(join(folder, 'job.json'), 'utf8'));
  const inputs = readSafetensors(await readFile(join(folder, 'inputs.safetensors')));

  enableProdMode(); // no advice on the console
  if (!(await setBackend(job.backend))) throw new Error(`TF.js could not start its ${job.backend} backend`);
  const graphs = new Map<string, TfjsGraph>();
  for (const { model } of job.runs) graphs.set(model, graphs.get(model) ?? (await openModel(model)));

  const before = memory().numTensors;
  const outputs = new Map<string, StoredTensor>();
  for (const [index, run] of job.runs.entries()) {
    await runOnce(run, graphs.get(run.model)!, inputs, outputs);
    console.log(JSON.stringify({ run: index }));
  }
  const leaked = memory().numTensors - before;

  await writeFile(join(folder, 'outputs.safetensors'), writeSafetensors(outputs));
  const summary = { version: version_core, node: process.version, backend: job.backend, leaked_tensors: leaked };
  console.log(JSON.stringify(summary));
}

async function openModel(path: string): Promise<TfjsGraph> {
  const folder = dirname(path);
  return loadTfjsGraph(await readFile(path, 'utf8'), (shard) => readFile(join(folder, inside(shard))));
}

async function runOnce(
  run: Run,
  graph: TfjsGraph,
  inputs: ReadonlyMap<string, StoredTensor>,
  outputs: Map<string, StoredTensor>,
): Promise<void> {
  const feeds = Object.entries(run.inputs).map(
    ([name, key]) => [name, floats(key, outputs.get(key) ?? inputs.get(key))] as const,
  );
  const results = await graph.run(Object.fromEntries(feeds), Object.keys(run.outputs));
  for (const [name, key] of Object.entries(run.outputs)) outputs.set(key, { dtype: 'F32', ...results[name]! });
}

function floats(key: string, stored: StoredTensor | undefined): Tensor {
  if (stored === undefined) throw new Error(`neither inputs.safetensors nor an earlier run has ${key}`);
  if (stored.dtype !== 'F32') throw new Error(`${key} must be float32`);
  return stored;
}

/** A shard's path, when it stays in the folder of its model. */
function inside(path: string): string {
  if (isAbsolute(path) || normalize(path).split(/[\\/]/).includes('..')) {
    throw new Error(`a shard must lie in the folder of its model, found ${path}`);
  }
  return path;
}

main(process.argv[2]).catch((error: unknown) => {
  console.error(messageOf(error).split('\n')[0]);
  process.exitCode = 1;
});
