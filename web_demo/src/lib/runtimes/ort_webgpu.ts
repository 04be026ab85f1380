import * as ort from 'onnxruntime-web/webgpu';
import glueUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';

import { findAdapter } from './gpu';
import { createOrtRuntime, setUp } from './ort';
import type { Runtime } from './runtime';

setUp(ort, { mjs: glueUrl, wasm: wasmUrl });

/** ONNX Runtime Web on WebGPU: another build than that for WebAssembly, with a WebAssembly file of its own. */
export async function createOrtWebgpu(): Promise<Runtime> {
  await findAdapter();
  return createOrtRuntime(ort, 'webgpu');
}
