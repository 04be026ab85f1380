import { gzipSync } from 'node:zlib';

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';

import { absoluteUrl, cacheSize, clearCache, fetchCounts, fetchText, fetchVerified, sha256 } from '../src/lib/loading';
import { makeRoom } from '../src/lib/loading/cache';
import { openCacheStore } from '../src/lib/loading/cache_store';
import { wait } from '../src/lib/loading/wait';
import { FakeCaches } from './fake_caches';
import { type Answer, type FileServer, parts, startServer, status, whole } from './file_server';

const PIECE = 1 << 20;
const BYTES = Uint8Array.from({ length: 2.5 * PIECE }, (_, i) => (i * 31) >> 3);
const EXPECTED = { bytes: BYTES.length, sha256: await sha256(BYTES) };
const SMALL = Uint8Array.of(1, 2, 3, 4, 5);
const SMALL_EXPECTED = { bytes: 5, sha256: await sha256(SMALL) };

const store = vi.hoisted(() => ({ open: async (): Promise<unknown> => null }));
vi.mock('../src/lib/loading/wait', () => ({ wait: vi.fn(async () => undefined) }));
vi.mock('../src/lib/loading/store', async (original) => ({
  ...(await original<typeof import('../src/lib/loading/store')>()),
  openStore: () => store.open(),
}));

let server: FileServer;

beforeAll(async () => void (server = await startServer()));
afterAll(() => server.close());
beforeEach(() => {
  server.ranges.length = 0;
  vi.mocked(wait).mockClear();
  store.open = async () => null;
});
afterEach(() => vi.unstubAllGlobals());

/** Fetch what the server answers, in this order, and check that it is the file and that each byte was told once. */
async function load(answers: Answer[], expected = EXPECTED, signal?: AbortSignal) {
  server.answers = answers;
  const counts: number[] = [];
  const onBytes = (count: number) => counts.push(count);
  const bytes = await fetchVerified(server.url, expected, { signal, onBytes });
  expect(counts.every((count) => count > 0)).toBe(true);
  expect(counts.reduce((a, b) => a + b, 0)).toBe(expected.bytes);
  expect(Buffer.compare(bytes, expected === EXPECTED ? BYTES : SMALL)).toBe(0);
}

const delays = () => vi.mocked(wait).mock.calls.map(([milliseconds]) => milliseconds);

describe('a file comes', () => {
  it('whole', async () => {
    await load([whole(BYTES)]);
    expect(server.ranges).toEqual([undefined]);
  });

  it('after a server that was busy, which is waited for as long as it asks', async () => {
    await load([status(503), status(429, { 'retry-after': '7' }), status(500), whole(BYTES)]);
    const [first, second, third] = delays() as [number, number, number];
    expect(first).toBeGreaterThanOrEqual(250);
    expect(first).toBeLessThanOrEqual(750);
    expect(second).toBe(7000);
    expect(third).toBeGreaterThanOrEqual(1000);
    expect(third).toBeLessThanOrEqual(3000);
  });

  it('in parts, when the connection breaks more often than a failure may be repeated', async () => {
    const often = Array.from({ length: 8 }, () => parts(BYTES, 200_000));
    await load([...often, parts(BYTES)]);
    expect(server.ranges[0]).toBeUndefined();
    const starts = server.ranges.slice(1).map((range) => Number(range?.slice('bytes='.length, -1)));
    expect(starts).toEqual(Array.from({ length: 8 }, (_, i) => 200_000 * (i + 1)));
  });

  it('in parts, when it breaks off at each tenth', async () => {
    await load([...Array.from({ length: 9 }, () => parts(BYTES, BYTES.length / 10)), parts(BYTES)]);
    expect(server.ranges).toEqual([undefined, ...Array.from({ length: 9 }, (_, i) => `bytes=${((i + 1) * BYTES.length) / 10}-`)]);
  });

  it('although the server packs it, so that Content-Length is another', async () => {
    const packed = gzipSync(BYTES);
    await load([whole(packed, { 'content-encoding': 'gzip', 'content-length': packed.length })]);
  });

  it('from where the server sends it on to', async () => {
    const other = await startServer();
    other.answers = [whole(BYTES, { 'access-control-allow-origin': '*' })];
    await load([status(302, { location: other.url.href })]);
    await other.close();
  });

  it.each(['bytes 0-9/10', 'bytes 0-9/*', 'bytes 5-4/5', 'nonsense', `bytes 262144-${2 ** 53}/${2 ** 53}`])(
    'from the start, where a part is said to be %s',
    async (range) => {
      const wrong: Answer = (response) => response.writeHead(206, { 'content-range': range }).end(BYTES.subarray(0, 10));
      await load([parts(BYTES, BYTES.length / 10), wrong, whole(BYTES)]);
    },
  );

  it('from the start, where the server knows no parts', async () => {
    await load([parts(BYTES, 300_000), whole(BYTES)]);
    expect(server.ranges).toEqual([undefined, 'bytes=300000-']);
  });

  it.each([
    ['another part', `bytes 0-${BYTES.length - 1}/${BYTES.length}`],
    ['a part of another file', 'bytes 300000-300004/300005'],
    ['no word of which part', null],
  ])('from the start, where the server gives %s', async (_, range) => {
    const headers = range === null ? {} : { 'content-range': range };
    const lie: Answer = (response) => void response.writeHead(206, headers).end(BYTES.subarray(0, 5));
    await load([parts(BYTES, 300_000), lie, whole(BYTES)]);
    expect(server.ranges).toEqual([undefined, 'bytes=300000-', undefined]);
  });

  it('although the connection ended like a whole file', async () => {
    await load([whole(BYTES.subarray(0, 300_000), {}), parts(BYTES)]);
    expect(server.ranges).toEqual([undefined, 'bytes=300000-']);
  });
});

describe('fails', () => {
  const html = { 'content-type': 'text/html; charset=utf-8' };
  it.each([
    ['on 404, at once', [status(404)], 'http', /weights.bin: the server answered 404/, 1],
    ['on a busy server, in the end', [status(503)], 'http', /the server answered 503/, 5],
    ['when it shall wait too long', [status(503, { 'retry-after': '3600' })], 'http', /answered 503/, 1],
    ['on a page instead', [whole(SMALL, html)], 'content', /is an HTML page, not a file of a bundle/, 1],
    ['on too few bytes', [whole(SMALL.subarray(1))], 'content', /has 4 bytes, the manifest says 5/, 2],
    ['on no bytes', [whole(new Uint8Array())], 'content', /has 0 bytes, the manifest says 5/, 1],
    ['on too many', [whole(Uint8Array.of(...SMALL, 6))], 'content', /has more than 5 bytes, the manifest says 5/, 1],
    ['on another hash', [whole(Uint8Array.of(0, 2, 3, 4, 5))], 'content', /was altered: its SHA-256 is/, 1],
    ['on a part that nobody asked for', [status(206)], 'http', /answered 206 to a request for the file/, 1],
    ['when it breaks off again and again', [parts(SMALL, 0)], 'network', /(could not be reached|broke off): /, 5],
  ] as const)('%s', async (_, answers, code, message, requests) => {
    const error = await load([...answers], SMALL_EXPECTED).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'GanExportError', code, message: expect.stringMatching(message) });
    expect(server.ranges).toHaveLength(requests);
  });

  it('without a network', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed')));
    await expect(load([])).rejects.toMatchObject({ code: 'network', message: /could not be reached: fetch failed/ });
    expect(delays()).toHaveLength(4);
  });

  it('at once on a device that says it is offline', async () => {
    vi.stubGlobal('fetch', () => Promise.reject(new TypeError('fetch failed')));
    vi.stubGlobal('navigator', { onLine: false });
    await expect(load([])).rejects.toThrow(/this device is offline, and has not kept the file/);
    expect(delays()).toEqual([]);
  });

  it('when a connection falls silent again and again', async () => {
    vi.stubGlobal('fetch', async () => new Response(new ReadableStream()));
    vi.useFakeTimers();
    const loading = load([]).catch((reason: unknown) => reason);
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    vi.useRealTimers();
    expect(await loading).toMatchObject({ code: 'network', message: /broke off: nothing came for 60 seconds/ });
  });

  it('when a server never answers', async () => {
    vi.stubGlobal('fetch', (_: URL, { signal }: RequestInit) => {
      return new Promise((_, reject) => signal!.addEventListener('abort', () => reject(signal!.reason)));
    });
    vi.useFakeTimers();
    const loading = load([]).catch((reason: unknown) => reason);
    await vi.advanceTimersByTimeAsync(5 * 60_000);
    vi.useRealTimers();
    expect(await loading).toMatchObject({ code: 'network', message: /could not be reached: nothing came for 60 seconds/ });
  });

  it('where the page has no crypto.subtle', async () => {
    vi.stubGlobal('crypto', {});
    await expect(load([])).rejects.toThrow(/only on https:\/\/ and on localhost/);
  });

  it('with the reason of an abort', async () => {
    const signal = AbortSignal.abort();
    await expect(load([whole(BYTES)], EXPECTED, signal)).rejects.toBe(signal.reason);
    expect(server.ranges).toEqual([]);
  });
});

it('waits as long as it was told, unless it is aborted', async () => {
  const { wait: real } = await vi.importActual<typeof import('../src/lib/loading/wait')>('../src/lib/loading/wait');
  const start = performance.now();
  await real(30);
  expect(performance.now() - start).toBeGreaterThanOrEqual(29);
  const abort = new AbortController();
  const waiting = real(60_000, abort.signal);
  abort.abort();
  await expect(waiting).rejects.toBe(abort.signal.reason);
  await expect(real(60_000, abort.signal)).rejects.toBe(abort.signal.reason);
});

describe('a manifest', () => {
  const text = '{"name": "ä"}';
  const bytes = new TextEncoder().encode(text);

  it('is asked for again, also where it broke off', async () => {
    server.answers = [status(502), parts(bytes, 5), whole(bytes)];
    expect(await fetchText(server.url)).toBe(text);
  });

  it('is refused when it has no end', async () => {
    const endless = new ReadableStream({ pull: (to) => to.enqueue(new Uint8Array(8 << 20)) });
    vi.stubGlobal('fetch', async () => new Response(endless));
    const error = { code: 'content', message: expect.stringContaining('larger than 64 MiB') };
    await expect(fetchText(server.url)).rejects.toMatchObject(error);
  });
});

it.each(['http://[', 'data:application/json,{}', 'blob:https://example.org/1', 'javascript:alert(1)', ''])(
  'says that %o is no address of a bundle',
  (address) => {
    expect(() => absoluteUrl(address)).toThrow(expect.objectContaining({ code: 'option' }));
  },
);

it('says of a file that cannot be held how large it would be', async () => {
  const error = { code: 'content', message: expect.stringContaining('a file of 1000000000000000 bytes') };
  await expect(load([whole(SMALL)], { ...SMALL_EXPECTED, bytes: 1e15 })).rejects.toMatchObject(error);
});

describe('what has come is kept', () => {
  let kept: FakeCaches;

  beforeEach(async () => {
    kept = new FakeCaches();
    vi.stubGlobal('caches', kept);
    vi.stubGlobal('location', { origin: 'https://example.org' });
    store.open = openCacheStore;
    Object.assign(fetchCounts, { kept: 0, resumed: 0, damaged: 0 });
  });

  it('and not fetched again, whatever its address', async () => {
    await load([whole(BYTES)]);
    server.url.search = '?moved';
    await load([status(404)]);
    expect(server.ranges).toHaveLength(1);
    expect(fetchCounts).toEqual({ kept: 1, resumed: 0, damaged: 0 });
    expect(await cacheSize()).toBe(BYTES.length);
    await clearCache();
    expect(await cacheSize()).toBe(0);
    expect(kept.entries.size).toBe(0);
    await load([whole(BYTES)]);
    expect(server.ranges).toHaveLength(2);
  });

  it('when the server breaks off for good, and the next load goes on', async () => {
    await expect(load([parts(BYTES, 1_500_000), status(404)])).rejects.toThrow('answered 404');
    await load([parts(BYTES)]);
    expect(server.ranges).toEqual([undefined, 'bytes=1500000-', 'bytes=1500000-']);
    expect(fetchCounts.resumed).toBe(1);
  });

  it('when the load is aborted, and the next one goes on', async () => {
    const abort = new AbortController();
    server.answers = [
      (response) => {
        response.writeHead(200, { 'content-length': BYTES.length });
        response.write(BYTES.subarray(0, 1_200_000));
      },
      parts(BYTES),
    ];
    let come = 0;
    const onBytes = (count: number) => {
      come += count;
      if (come >= 1_200_000) abort.abort();
    };
    const loading = fetchVerified(server.url, EXPECTED, { signal: abort.signal, onBytes });
    await expect(loading).rejects.toMatchObject({ name: 'AbortError' });
    await load([parts(BYTES)]);
    expect(server.ranges).toEqual([undefined, 'bytes=1200000-']);
  });

  it.each(['whole', 'half'])('and fetched again where what was kept, %s, is damaged', async (how) => {
    await (how === 'whole' ? load([whole(BYTES)]) : load([parts(BYTES, 1_500_000), status(404)]).catch(() => undefined));
    for (const bytes of kept.entries.values()) bytes.fill(7, 0, 1);
    await load([parts(BYTES)]);
    expect(server.ranges.at(-1)).toBeUndefined();
    expect(fetchCounts.damaged).toBe(1);
    server.ranges.length = 0;
    await load([status(404)]);
    expect(server.ranges).toEqual([]);
  });

  it('but not what has the wrong hash', async () => {
    await expect(load([whole(BYTES.map((byte) => byte ^ 1))])).rejects.toThrow('was altered');
    expect(await cacheSize()).toBe(0);
    await load([whole(BYTES)]);
  });

  it('unless there is no room', async () => {
    kept.full = true;
    await load([parts(BYTES, 1_500_000), parts(BYTES)]);
    expect(await cacheSize()).toBe(0);
  });

  it('up to a budget; what was not used for longest goes first', async () => {
    const cache = (await openCacheStore())!;
    const now = vi.spyOn(Date, 'now');
    for (const [time, file] of ['a', 'b', 'c'].entries()) {
      await cache.put({ file, start: 0, end: 100 }, new Uint8Array(100));
      now.mockReturnValue(1000 + time);
      await cache.touch(file);
    }
    now.mockReturnValue(2000);
    await makeRoom(cache, 'a', { grown: false, budget: 250 });
    expect(await cacheSize()).toBe(300); // nothing is new, so nothing has to go
    await makeRoom(cache, 'c', { grown: true, budget: 250 });
    now.mockRestore();
    expect(new Set((await cache.list()).map(({ file }) => file))).toEqual(new Set(['a', 'c']));
  });
});
