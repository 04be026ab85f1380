/** What `tfjs_runner.mjs` is asked to do: the contents of `job.json`. */
export interface Job {
  readonly backend: 'cpu' | 'wasm';
  readonly runs: readonly Run[];
}

/** One run of one graph. */
export interface Run {
  /** Path of the `model.json`. */
  readonly model: string;
  /** Names of the graph's inputs, each with a tensor's name in `inputs.safetensors` or among earlier runs' outputs. */
  readonly inputs: Readonly<Record<string, string>>;
  /** Names of the graph's outputs that are wanted, each with its tensor's name in `outputs.safetensors`. */
  readonly outputs: Readonly<Record<string, string>>;
}

/** Check the contents of a `job.json`. */
export function parseJob(text: string): Job {
  const job = parseObject(text);
  const { backend, runs } = job;
  if (backend !== 'cpu' && backend !== 'wasm') {
    throw new Error(`backend must be cpu or wasm, found ${JSON.stringify(backend)}`);
  }
  if (!Array.isArray(runs) || !runs.every(isRun)) {
    throw new Error('runs must be a list of {model, inputs, outputs}');
  }
  return { backend, runs };
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const job: unknown = JSON.parse(text);
    if (isRecord(job)) return job;
  } catch {
    // said below
  }
  throw new Error('job.json must hold a JSON object');
}

function isRun(run: unknown): run is Run {
  return isRecord(run) && typeof run['model'] === 'string' && isNames(run['inputs']) && isNames(run['outputs']);
}

function isNames(value: unknown): value is Record<string, string> {
  return isRecord(value) && Object.values(value).every((name) => typeof name === 'string');
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
