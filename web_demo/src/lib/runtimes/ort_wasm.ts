import * as ort from 'onnxruntime-web/wasm';
import glueUrl from 'onnxruntime-web/ort-wasm-simd-threaded.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.wasm?url';

import { Queue } from '../queue';
import { createOrt, setUp } from './ort';
import type { BareRuntime } from './runtime';

setUp(ort, { mjs: glueUrl, wasm: wasmUrl });

const queue = new Queue(); // a run is one step of the page's thread: nothing could be done beside it

/** ONNX Runtime Web on WebAssembly. */
export function createOrtWasm(): BareRuntime {
  return createOrt(ort, queue, { open: async () => 'wasm', close: () => undefined });
}
