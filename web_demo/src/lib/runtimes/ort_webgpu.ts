import * as ort from 'onnxruntime-web/webgpu';
import glueUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.mjs?url';
import wasmUrl from 'onnxruntime-web/ort-wasm-simd-threaded.asyncify.wasm?url';

import { openDevice } from './gpu';
import { createOrt, setUp } from './ort';
import type { BareRuntime } from './runtime';

const build = setUp(ort, { mjs: glueUrl, wasm: wasmUrl });

/**
 * ONNX Runtime Web on WebGPU: another build than that for WebAssembly, with a WebAssembly file of its own.
 * Each has a device of its own, with which all of its memory goes.
 */
export function createOrtWebgpu(onLost: (reason: string) => void): BareRuntime {
  let device: GPUDevice | null = null;
  return createOrt(build, {
    async open() {
      ({ device } = await openDevice(onLost));
      return { name: 'webgpu', device };
    },
    close: () => device?.destroy(),
  });
}
