import { afterEach, expect, it, vi } from 'vitest';

import { hasGraphicsCard, openDevice } from '../src/lib/runtimes/gpu';

const LIMITS = { maxBufferSize: 7, maxStorageBufferBindingSize: 5, maxTextureDimension2D: 3 };

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

class FakeDevice extends EventTarget {
  lose: (info: { message: string; reason: string }) => void = () => undefined;
  readonly lost = new Promise((resolve) => (this.lose = resolve));
}

function browserWith(gpu: object | undefined): void {
  vi.stubGlobal('navigator', { gpu });
}

function adapterOf(device: unknown) {
  const requestDevice = vi.fn((_: GPUDeviceDescriptor) => device);
  return { requestDevice, adapter: { limits: LIMITS, info: { vendor: 'v' }, requestDevice } };
}

it('asks for all that the adapter has of what large generators need', async () => {
  const device = new FakeDevice();
  const { requestDevice, adapter } = adapterOf(Promise.resolve(device));
  browserWith({ requestAdapter: async () => adapter });
  expect(await openDevice(() => undefined)).toEqual({ device, info: { vendor: 'v' } });
  const { requiredLimits } = requestDevice.mock.calls[0]![0];
  expect(requiredLimits).toMatchObject({ maxBufferSize: 7, maxStorageBufferBindingSize: 5 });
  expect(requiredLimits).not.toHaveProperty('maxTextureDimension2D');
});

it('tells of a device that is gone, and of errors that nobody saw', async () => {
  const device = new FakeDevice();
  browserWith({ requestAdapter: async () => adapterOf(Promise.resolve(device)).adapter });
  const onLost = vi.fn();
  await openDevice(onLost);
  class GPUOutOfMemoryError {
    readonly message = 'no room for a buffer';
  }
  device.dispatchEvent(Object.assign(new Event('uncapturederror'), { error: new GPUOutOfMemoryError() }));
  expect(onLost).toHaveBeenLastCalledWith('GPUOutOfMemoryError: no room for a buffer');
  device.lose({ message: '', reason: 'destroyed' });
  await device.lost;
  expect(onLost).toHaveBeenLastCalledWith('destroyed');
});

it.each([undefined, { requestAdapter: async () => null }])('says that there is none: %o', async (gpu) => {
  browserWith(gpu);
  await expect(openDevice(() => undefined)).rejects.toMatchObject({ code: 'runtime', message: expect.stringContaining('no WebGPU') });
});

it('does not wait for a browser that never answers', async () => {
  vi.useFakeTimers();
  const never = new Promise(() => undefined);
  browserWith({ requestAdapter: () => never });
  const looking = hasGraphicsCard();
  const opening = expect(openDevice(() => undefined)).rejects.toThrow('WebGPU did not answer within 5 s');
  await vi.advanceTimersByTimeAsync(5000);
  expect(await looking).toBe(false);
  await opening;

  browserWith({ requestAdapter: async () => adapterOf(never).adapter });
  const waiting = expect(openDevice(() => undefined)).rejects.toThrow('WebGPU did not answer within 20 s');
  await vi.advanceTimersByTimeAsync(20_000);
  await waiting;
});
