/// <reference types="@webgpu/types" />
import { GanExportError } from '../errors';

/** A browser that does not answer in this time has no WebGPU to speak of; some never do. */
const MILLISECONDS = { adapter: 5000, device: 20_000 };

/** What a large generator may need more of than every device is sure to have. */
const LIMITS = [
  'maxBufferSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupSizeZ',
  'maxComputeWorkgroupStorageSize',
  'maxComputeWorkgroupsPerDimension',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
] as const satisfies readonly (keyof GPUSupportedLimits)[];

/** Whether WebGPU has a graphics card here, and not a program in its stead, which is slower than WebAssembly. */
export async function hasGraphicsCard(): Promise<boolean> {
  const adapter = await within(MILLISECONDS.adapter, requestAdapter()).catch(() => null);
  return adapter !== null && !isFallback(adapter);
}

/**
 * Open a device of the adapter that WebGPU prefers, whichever it is.
 *
 * @param onLost called with the reason when the device is gone, or has failed where nobody was there to see
 * @throws GanExportError `runtime` when the browser has no WebGPU, no adapter, or does not answer.
 */
export async function openDevice(
  onLost: (reason: string) => void,
): Promise<{ readonly device: GPUDevice; readonly info: GPUAdapterInfo }> {
  const adapter = await within(MILLISECONDS.adapter, requestAdapter());
  if (adapter === null) throw new GanExportError('runtime', 'this browser has no WebGPU, or no device for it');
  const requiredLimits = Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]]));
  const device = await within(MILLISECONDS.device, adapter.requestDevice({ requiredLimits }));
  void device.lost.then(({ message, reason }) => onLost(message || reason));
  device.addEventListener('uncapturederror', ({ error }) => onLost(`${error.constructor.name}: ${error.message}`));
  return { device, info: adapter.info };
}

async function requestAdapter(): Promise<GPUAdapter | null> {
  const gpu: GPU | undefined = navigator.gpu; // missing in older browsers and on plain http
  return (await gpu?.requestAdapter({ powerPreference: 'high-performance' })) ?? null;
}

/** Older browsers have it on the adapter itself. */
function isFallback(adapter: GPUAdapter & { readonly isFallbackAdapter?: boolean }): boolean {
  return adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false;
}

async function within<T>(milliseconds: number, answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    const error = new GanExportError('runtime', `WebGPU did not answer within ${milliseconds / 1000} s`);
    timer = setTimeout(reject, milliseconds, error);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}
