import * as ort from 'onnxruntime-web/wasm';
import glueUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { createOrtRuntime, setUp } from './ort';
import type { Runtime } from './runtime';

setUp(ort, { mjs: glueUrl, wasm: wasmUrl });

/** ONNX Runtime Web on WebAssembly. */
export function createOrtWasm(): Runtime {
  return createOrtRuntime(ort, 'wasm');
}
