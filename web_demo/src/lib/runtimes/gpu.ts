/// <reference types="@webgpu/types" />
import { GanExportError } from '../errors';

/** Whether WebGPU has a graphics card here, and not a program in its stead, which is slower than WebAssembly. */
export async function hasGraphicsCard(): Promise<boolean> {
  const adapter = await requestAdapter().catch(() => null);
  return adapter !== null && !isFallback(adapter);
}

/**
 * The adapter that WebGPU prefers, or any that it has.
 *
 * @throws GanExportError `runtime` when the browser has no WebGPU, or no adapter.
 */
export async function findAdapter(): Promise<GPUAdapter> {
  const adapter = await requestAdapter();
  if (adapter === null) throw new GanExportError('runtime', 'this browser has no WebGPU adapter');
  return adapter;
}

async function requestAdapter(): Promise<GPUAdapter | null> {
  const gpu: GPU | undefined = navigator.gpu; // missing in older browsers and on plain http
  return (await gpu?.requestAdapter({ powerPreference: 'high-performance' })) ?? null;
}

/** Older browsers have it on the adapter itself. */
function isFallback(adapter: GPUAdapter & { readonly isFallbackAdapter?: boolean }): boolean {
  return adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
}
