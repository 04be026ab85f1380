import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

import { GanExportError } from '../src/lib/errors';
import { Queue } from '../src/lib/queue';
import { isBroken, whatIsBroken } from '../src/lib/runtimes/broken';
import { startGuarded } from '../src/lib/runtimes/guarded';
import type { BareRuntime, CreateBare } from '../src/lib/runtimes/runtime';

const never = () => new Promise<never>(() => undefined);
const run = { image: { shape: [1], data: Float32Array.of(1) } };

let queue: Queue;
let lose: (reason: string) => void;
let called: string[];

beforeEach(() => {
  vi.useFakeTimers();
  queue = new Queue();
  called = [];
});

afterEach(() => vi.useRealTimers());

/** A runtime that answers everything, changed as asked. */
function bare(changed: Partial<BareRuntime> = {}): CreateBare {
  return (onLost) => {
    lose = onLost;
    return {
      target: 'onnx',
      layout: 'NCHW',
      version: '1',
      queue,
      start: async () => undefined,
      load: async () => undefined,
      run: async () => run,
      tensorCount: () => 0,
      dispose: async () => void called.push('dispose'),
      abandon: () => void called.push('abandon'),
      ...changed,
    };
  };
}

it('lets through what works', async () => {
  const runtime = await startGuarded('fake', bare());
  await runtime.load({}, new Map());
  expect(await runtime.run('synthesis.0', {}, [])).toBe(run);
  expect([runtime.target, runtime.layout, runtime.version, runtime.tensorCount()]).toEqual(['onnx', 'NCHW', '1', 0]);
  await Promise.all([runtime.dispose(), runtime.dispose()]);
  expect(called).toEqual(['dispose']);
  lose('as it should be');
  expect(called).toEqual(['dispose']);
  await expect(runtime.run('synthesis.0', {}, [])).rejects.toMatchObject({ code: expect.stringMatching('runtime|broken') });
});

it('gives up a start that never comes', async () => {
  const starting = expect(startGuarded('fake', bare({ start: never }))).rejects.toMatchObject({
    code: 'broken',
    message: 'fake did not start within 180 s',
  });
  await vi.advanceTimersByTimeAsync(180_000);
  await starting;
  expect(called).toEqual(['abandon']);
});

it('gives back what cannot start, and says why', async () => {
  const start = () => Promise.reject(new Error('no such device'));
  await expect(startGuarded('fake', bare({ start }))).rejects.toMatchObject({
    code: 'runtime',
    message: 'fake could not start: no such device',
  });
  expect(called).toEqual(['dispose']);
});

it('gives graphs the more time the larger they are; one that hangs blocks nobody', async () => {
  let finish = (): void => undefined;
  const load = () => new Promise<void>((resolve) => (finish = resolve));
  const runtime = await startGuarded('fake', bare({ load }));
  const other = await startGuarded('other', bare());
  const files = new Map([['a', { byteLength: 30_000_000 } as Uint8Array]]);
  const loading = expect(runtime.load({}, files)).rejects.toThrow('fake did not load the graphs within 90 s');
  const waiting = other.run('mapping', {}, []);
  await vi.advanceTimersByTimeAsync(90_000);
  await loading;
  expect(await waiting).toBe(run);
  await expect(runtime.run('mapping', {}, [])).rejects.toSatisfy(isBroken);
  await runtime.dispose();
  expect(called).toEqual(['abandon']);

  finish();
  await vi.advanceTimersByTimeAsync(0);
  expect(called).toEqual(['abandon', 'abandon']); // what came too late is let go as well
});

it('takes other limits', async () => {
  const limits = { start: 1000, load: () => 2000 };
  const starting = expect(startGuarded('fake', bare({ start: never }), limits)).rejects.toThrow('within 1 s');
  await vi.advanceTimersByTimeAsync(1000);
  await starting;
});

it('ends a run, however long, when the device is lost', async () => {
  const runtime = await startGuarded('fake', bare({ run: never }));
  const running = expect(runtime.run('mapping', {}, [])).rejects.toThrow('fake lost its device: unplugged');
  await vi.advanceTimersByTimeAsync(3_600_000);
  lose('unplugged');
  await running;
  await expect(runtime.run('mapping', {}, [])).rejects.toThrow('fake lost its device: unplugged');
  expect(called).toEqual(['abandon']);
});

it('goes on after an error of one run', async () => {
  const answers = [Promise.reject(new Error('odd input')), Promise.resolve(run)];
  const runtime = await startGuarded('fake', bare({ run: () => answers.shift()! }));
  await expect(runtime.run('mapping', {}, [])).rejects.toMatchObject({
    code: 'runtime',
    message: 'fake could not run mapping: odd input',
  });
  expect(await runtime.run('mapping', {}, [])).toBe(run);
});

it('passes on an error of this library as it is', async () => {
  const error = new GanExportError('runtime', 'graph mapping is not loaded');
  const runtime = await startGuarded('fake', bare({ run: () => Promise.reject(error) }));
  await expect(runtime.run('mapping', {}, [])).rejects.toBe(error);
});

it.each([
  ['gone', 'abandon', new RangeError('WebAssembly.Memory.grow(): Maximum memory size exceeded')],
  ['unfit', 'dispose', new Error("Kernel 'Conv2D' not registered for backend 'webgpu'")],
])('is done for after an error that says %s', async (_, end, error) => {
  const runtime = await startGuarded('fake', bare({ run: () => Promise.reject(error) }));
  await expect(runtime.run('mapping', {}, [])).rejects.toSatisfy(isBroken);
  await expect(runtime.run('mapping', {}, [])).rejects.toMatchObject({ cause: error });
  await runtime.dispose();
  expect(called).toEqual([end]);
});

describe('what runtimes throw', () => {
  it.each([
    new RangeError('Array buffer allocation failed'),
    new RangeError('Invalid typed array length: 4294967296'),
    new WebAssembly.RuntimeError('memory access out of bounds'),
    new WebAssembly.RuntimeError('Aborted(OOM). Build with -sASSERTIONS for more info.'),
    new Error('failed to call OrtRun(). ERROR_CODE: 6, ERROR_MESSAGE: std::bad_alloc'),
    new Error("Can't create a session. failed to allocate a buffer of size 1073741824."),
    new Error('ERROR_CODE: 1, ERROR_MESSAGE: BFCArena: Failed to allocate memory for requested buffer of size 8'),
    new Error('Unable to create WebGLTexture.'),
    new Error('GL_OUT_OF_MEMORY: out of memory'),
    new Error('The WebGPU device was lost.'),
    new Error('A valid external Instance reference no longer exists: Device is lost'),
    { message: 'no available backend memory' },
    6_609_712, // the address of a C++ exception
  ])('is the end: %o', (thrown) => expect(whatIsBroken(thrown)).toBe('gone'));

  it.each([
    new Error('Requested texture size [20000x4] greater than WebGL maximum on this browser / GPU [16384x16384].'),
    new Error("Kernel 'Conv2D' not registered for backend 'webgpu'"),
    new Error('Failed to compile fragment shader.'),
    new Error('Binding size (300000000) is larger than the maximum binding size (134217728).'),
  ])('is the end for this bundle: %o', (thrown) => expect(whatIsBroken(thrown)).toBe('unfit'));

  it.each([
    new Error('The shape of dict["z"] provided in model.execute(dict) must be [-1,64], but was [1,3]'),
    new Error('invalid data location: undefined for input "c"'),
    new Error('Got invalid dimensions for input: ws for the following indices'),
    'no such graph',
  ])('is of one run: %o', (thrown) => expect(whatIsBroken(thrown)).toBeNull());

  it('is broken only under that code', () => {
    expect(isBroken(new GanExportError('broken', 'x'))).toBe(true);
    expect(isBroken(new GanExportError('runtime', 'x'))).toBe(false);
    expect(isBroken(new RangeError('x'))).toBe(false);
  });
});
