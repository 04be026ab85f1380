/** The page's side and the worker's side of the protocol, with a channel between them in place of a thread. */
import { afterEach, beforeEach, expect, it, vi } from 'vitest';

import type { Encoded, Generator, LatentOptions, Latents, OpenOptions, Progress } from '../src/lib/api';
import { GanExportError } from '../src/lib/errors';
import type { Picture } from '../src/lib/fit';
import { openBundle } from '../src/lib/generator';
import type { Pictures } from '../src/lib/pixels';
import { connect } from '../src/lib/worker/connection';
import { serve } from '../src/lib/worker/server';
import { manifestOf } from './manifest_of';

const URL_OF_IT = 'https://example.org/ganexport.json';
const PICTURES: Pictures = { data: new Uint8ClampedArray([1, 2, 3]), count: 1, width: 1, height: 1, channels: 3 };

/** What the worker's side opens; each test makes it behave. */
let open: (url: string | URL, options: OpenOptions) => Promise<Generator>;
const workers: FakeWorker[] = [];

class FakeWorker {
  onmessage: ((event: MessageEvent) => void) | null = null;
  onerror: ((event: ErrorEvent) => void) | null = null;
  terminated = false;
  readonly #port: MessagePort;

  constructor(readonly address: string) {
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    port1.onmessage = (event) => this.onmessage?.(event);
    serve(port2, (url, options) => open(url, options ?? {}));
    port2.postMessage({ kind: 'ready' });
    workers.push(this);
  }

  postMessage(message: unknown): void {
    this.#port.postMessage(message);
  }

  terminate(): void {
    this.terminated = true;
    this.#port.close();
  }

  /** What a browser does with an error that nobody caught in the worker. */
  crash(): void {
    this.onerror?.({ message: 'boom', preventDefault() {} } as ErrorEvent);
  }
}

beforeEach(() => {
  vi.stubGlobal('Worker', FakeWorker);
  vi.stubGlobal('location', new URL('file:///'));
  vi.stubGlobal('navigator', {}); // without locks
  open = async (_, options) => fakeGenerator(options);
});

afterEach(() => {
  for (const worker of workers.splice(0)) worker.crash();
  vi.unstubAllGlobals();
});

it('opens in one worker, tells of progress, and gives what the worker gives', async () => {
  const progress: Progress[] = [];
  open = async (_, options) => {
    options.onProgress?.({ loaded: 1, total: 2 });
    return fakeGenerator(options);
  };
  const first = await openBundle(URL_OF_IT, { onProgress: (step) => progress.push(step) });
  const second = await openBundle(URL_OF_IT);
  expect(workers).toHaveLength(1);
  expect(progress).toEqual([{ loaded: 1, total: 2 }]);
  expect([first.runtime, first.runtimeVersion, first.manifest.name]).toEqual(['ort-wasm', '1', 'tiny']);
  expect(await second.generate({ seeds: [1] })).toEqual(PICTURES);
  expect(await first.tensorCount()).toBe(7);
  expect(await first.directions()).toEqual([]);
});

it('sends latents there and back, also those that a framework wraps', async () => {
  const generator = await openBundle(URL_OF_IT);
  const latents = await generator.latents({ seeds: new Proxy([4, 5], {}), label: new Proxy(['a', 'b'], {}) });
  expect(latents.seeds).toEqual([4, 5]);
  const wrapped = { ...latents, seeds: new Proxy([...latents.seeds], {}) };
  expect(await generator.draw(wrapped)).toEqual(PICTURES);
  expect(latents.tensor.data).toHaveLength(2); // still there: the worker got a copy
  expect(await generator.grow(latents)).toEqual([PICTURES, PICTURES]);
});

it('sends pictures there no larger than they are needed, and their latents back', async () => {
  const encoder = { file: null, weights_sha256: '', space: 'z', graphs: {}, figures: {} } as const;
  open = async (_, options) => ({ ...fakeGenerator(options), manifest: manifestOf({}, { encoder }) });
  const generator = await openBundle(URL_OF_IT);
  const picture = { data: new Uint8ClampedArray(4 * 8 * 9).fill(255), width: 8, height: 9 };
  expect(await generator.encode([picture, picture])).toMatchObject({ seeds: [4, 4], tensor: { data: Float32Array.of(255, 255) } });
});

it('says that there is no encoder', async () => {
  const generator = await openBundle(URL_OF_IT);
  await expect(generator.encode([])).rejects.toMatchObject({ code: 'option', message: expect.stringContaining('tiny has no encoder') });
});

it('tells of previews where they are wanted, and only there', async () => {
  const onPreview = vi.fn();
  const generator = await openBundle(URL_OF_IT);
  await generator.generate({ seeds: [1] });
  await generator.generate({ seeds: [2], onPreview });
  expect(onPreview.mock.calls).toEqual([[PICTURES, 2]]);
});

it('lets errors keep their code, and goes on after them', async () => {
  const generator = await openBundle(URL_OF_IT);
  const error = await generator.generate({ seeds: [] }).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(GanExportError);
  expect(error).toMatchObject({ code: 'option', message: 'no seeds' });
  await expect(generator.generate({ seeds: [1] })).resolves.toEqual(PICTURES);
  open = async () => {
    throw new GanExportError('http', 'the server answered 404');
  };
  await expect(openBundle(URL_OF_IT)).rejects.toMatchObject({ code: 'http' });
});

it('stops what is aborted with the signal’s reason, there and here', async () => {
  const stopped = vi.fn();
  const generator = await openBundle(URL_OF_IT);
  const abort = new AbortController();
  abort.signal.addEventListener('abort', stopped);
  const drawing = generator.generate({ seeds: [HANGS], signal: abort.signal });
  abort.abort('enough');
  await expect(drawing).rejects.toBe('enough');
  await vi.waitFor(() => expect(aborted).toBe(1));
  await expect(generator.generate({ seeds: [1], signal: abort.signal })).rejects.toBe('enough');
  await expect(generator.generate({ seeds: [1] })).resolves.toEqual(PICTURES);
});

it('gives back what was opened after the wish for it was gone', async () => {
  const dispose = vi.fn(async () => undefined);
  let finish = () => undefined as void;
  const finished = new Promise<void>((resolve) => (finish = resolve));
  const asked = vi.fn();
  open = async (_, options) => {
    asked();
    await finished;
    return { ...fakeGenerator(options), dispose };
  };
  const abort = new AbortController();
  const opening = openBundle(URL_OF_IT, { signal: abort.signal });
  await vi.waitFor(() => expect(asked).toHaveBeenCalled());
  finish(); // that it is open is said at once, and heard after the abort
  abort.abort();
  await expect(opening).rejects.toMatchObject({ name: 'AbortError' });
  await vi.waitFor(() => expect(dispose).toHaveBeenCalledOnce());
});

it('tells of a fallback, and knows the runtime of the moment', async () => {
  let fall = () => undefined as void;
  const onFallback = vi.fn();
  const fallback = { from: 'ort-wasm', to: 'tfjs-cpu', reason: 'no memory' } as const;
  open = async (_, options) => {
    const generator = { ...fakeGenerator(options) };
    fall = () => {
      Object.assign(generator, { runtime: 'tfjs-cpu', runtimeVersion: '2' });
      options.onFallback?.(fallback);
    };
    return generator;
  };
  const generator = await openBundle(URL_OF_IT, { onFallback });
  fall();
  await vi.waitFor(() => expect(onFallback).toHaveBeenCalledWith(fallback));
  expect([generator.runtime, generator.runtimeVersion]).toEqual(['tfjs-cpu', '2']);
});

it('rejects what waits when the worker dies, and opens the bundle in another one', async () => {
  const generator = await openBundle(URL_OF_IT);
  const waiting = [generator.generate({ seeds: [HANGS] }), generator.tensorCount()];
  workers[0]!.crash();
  for (const lost of waiting) await expect(lost).rejects.toMatchObject({ code: 'broken' });
  const results = await Promise.all([generator.generate({ seeds: [1] }), generator.generate({ seeds: [2] })]);
  expect(results).toEqual([PICTURES, PICTURES]);
  expect(workers).toHaveLength(2);
  expect(workers[0]!.terminated).toBe(true);
});

it('draws no more once it is given back, and ends a worker that nobody needs', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const [first, second] = await Promise.all([openBundle(URL_OF_IT), openBundle(URL_OF_IT)]);
  await Promise.all([first.dispose(), first.dispose()]);
  await expect(first.generate({ seeds: [1] })).rejects.toThrow('tiny was disposed of');
  vi.advanceTimersByTime(60_000);
  expect(workers[0]!.terminated).toBe(false);
  await second.dispose();
  vi.advanceTimersByTime(60_000);
  expect(workers[0]!.terminated).toBe(true);
  vi.useRealTimers();
  await openBundle(URL_OF_IT);
  expect(workers).toHaveLength(2);
});

it('ends a worker whose last run has no end, once nobody waits for it', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  open = async (_, options) => ({ ...fakeGenerator(options), dispose: () => new Promise(() => undefined) });
  const generator = await openBundle(URL_OF_IT);
  const disposed = generator.dispose();
  await Promise.resolve();
  vi.advanceTimersByTime(60_000);
  await disposed;
  expect(workers[0]!.terminated).toBe(true);
  vi.useRealTimers();
});

it('ends a worker that was wanted no more before it was there', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  const abort = new AbortController();
  const opening = openBundle(URL_OF_IT, { signal: abort.signal });
  abort.abort();
  await expect(opening).rejects.toBe(abort.signal.reason);
  await vi.waitUntil(() => {
    vi.advanceTimersByTime(60_000);
    return workers[0]?.terminated;
  });
  vi.useRealTimers();
});

const HANGS = 13;
let aborted = 0;

function fakeGenerator(_: OpenOptions): Generator {
  return {
    manifest: manifestOf(),
    runtime: 'ort-wasm',
    runtimeVersion: '1',
    latents: async ({ seeds }: LatentOptions): Promise<Latents> => ({
      space: 'z',
      tensor: { shape: [2, 1], data: Float32Array.of(1, 2) },
      labels: null,
      seeds,
    }),
    draw: async () => copy(),
    grow: async () => [copy(), copy()],
    async generate({ seeds, onPreview, signal }) {
      if (seeds.length === 0) throw new GanExportError('option', 'no seeds');
      if (seeds[0] === HANGS) await hang(signal);
      onPreview?.(copy(), seeds[0]!);
      return copy();
    },
    encode: async (pictures) => encodedOf(pictures),
    directions: async () => [],
    tensorCount: async () => 7,
    dispose: async () => undefined,
  };
}

/** What they are, with their first levels for z. */
function encodedOf(pictures: readonly Picture[]): Encoded {
  const tensor = { shape: [pictures.length, 1], data: Float32Array.from(pictures, ({ data }) => data[0]!) };
  const seeds = pictures.map(({ width }) => width);
  return { space: 'z', tensor, labels: null, seeds, pictures: PICTURES, probabilities: null };
}

function copy(): Pictures {
  return { ...PICTURES, data: PICTURES.data.slice() };
}

function hang(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => {
      aborted++;
      reject(signal.reason);
    });
  });
}

it('works in place where the script of a worker never comes', async () => {
  vi.useFakeTimers();
  const silent = vi.fn();
  vi.stubGlobal('Worker', class { terminate = silent; });
  const connecting = connect();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await connecting).toBeNull();
  expect(silent).toHaveBeenCalled();
  vi.useRealTimers();
});
