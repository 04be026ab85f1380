import * as ort from 'onnxruntime-web/wasm';
import glueUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { createOrt, setUp } from './ort';
import type { BareRuntime } from './runtime';

const build = setUp(ort, { mjs: glueUrl, wasm: wasmUrl });

/** ONNX Runtime Web on WebAssembly. */
export function createOrtWasm(): BareRuntime {
  return createOrt(build, { open: async () => 'wasm', close: () => undefined });
}
