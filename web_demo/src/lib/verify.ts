import type { Generator } from './api';
import { GanExportError } from './errors';
import { absoluteUrl, fetchVerified } from './loading';
import { openBundle } from './generator';
import { fileOf, type GoldenCase } from './manifest';
import type { RuntimeName } from './runtimes/registry';
import { readSafetensors, type StoredTensor } from './safetensors';

/** How one golden case was drawn here. */
export interface CaseResult {
  readonly case: string;
  readonly tensor: 'images';
  /** Greatest difference from the recorded pictures, of 255 grey levels. */
  readonly maxGreyLevels: number;
  readonly pictures: number;
  readonly milliseconds: number;
}

/** How this device draws a bundle's golden cases. */
export interface Verification {
  readonly runtime: RuntimeName;
  readonly version: string;
  readonly cases: readonly CaseResult[];
  /** Tensors that were not given back, where the runtime counts them. */
  readonly leakedTensors: number | null;
}

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onCase?: ((result: CaseResult) => void) | undefined;
}

/**
 * Draw every golden case of a bundle, from its seeds, and compare with the pictures recorded when it was made.
 *
 * @param url address of its `ganexport.json`
 */
export async function verifyBundle(
  url: string | URL,
  runtime?: string,
  { signal, onCase }: VerifyOptions = {},
): Promise<Verification> {
  const absolute = absoluteUrl(url);
  const generator = await openBundle(absolute, { runtime, fallback: false, signal });
  try {
    const { goldens } = generator.manifest;
    const file = fileOf(generator.manifest, absolute, goldens.file);
    const recorded = readSafetensors(await fetchVerified(file.url, file, { signal }));

    const before = await generator.tensorCount();
    const cases: CaseResult[] = [];
    for (const golden of goldens.cases) {
      const result = await runCase(generator, golden, recorded.get(`${golden.name}.images`), signal);
      onCase?.(result);
      cases.push(result);
    }
    const after = await generator.tensorCount();
    const leakedTensors = before === null || after === null ? null : after - before;
    return { runtime: generator.runtime, version: generator.runtimeVersion, cases, leakedTensors };
  } finally {
    await generator.dispose();
  }
}

async function runCase(
  generator: Generator,
  golden: GoldenCase,
  expected: StoredTensor | undefined,
  signal: AbortSignal | undefined,
): Promise<CaseResult> {
  const start = performance.now();
  const { data } = await generator.generate({
    seeds: golden.seeds,
    label: golden.labels ?? undefined,
    psi: golden.truncation_psi,
    cutoff: golden.truncation_cutoff,
    noise: golden.noise_mode,
    inputs: golden.inputs,
    signal,
  });
  const milliseconds = performance.now() - start;
  if (expected?.dtype !== 'U8' || expected.data.length !== data.length) {
    throw new GanExportError('content', `the goldens have no pictures of the right size for case ${golden.name}`);
  }
  const maxGreyLevels = greatestDifference(data, expected.data);
  return { case: golden.name, tensor: 'images', maxGreyLevels, pictures: golden.seeds.length, milliseconds };
}

/** A plain loop: large pictures have millions of levels, and the page is to answer meanwhile. */
function greatestDifference(drawn: Uint8ClampedArray, recorded: Uint8Array): number {
  let most = 0;
  for (let i = 0; i < drawn.length; i++) most = Math.max(most, Math.abs(drawn[i]! - recorded[i]!));
  return most;
}
