import { afterEach, describe, expect, it, vi } from 'vitest';

import { fetchVerified, sha256 } from '../src/lib/loading/fetch_verified';

const URL_OF_IT = new URL('https://example.org/weights.bin');
const BYTES = Uint8Array.of(1, 2, 3, 4, 5);
const EXPECTED = { bytes: 5, sha256: await sha256(BYTES) };

afterEach(() => vi.unstubAllGlobals());

it('gives the bytes and counts them as they come', async () => {
  answer(() => new Response(streamOf(BYTES.subarray(0, 2), BYTES.subarray(2))));
  const counts: number[] = [];
  const bytes = await fetchVerified(URL_OF_IT, EXPECTED, { onBytes: (count) => counts.push(count) });
  expect(bytes).toEqual(BYTES);
  expect(counts).toEqual([2, 3]);
});

describe('fails', () => {
  it.each([
    ['without a network', () => Promise.reject(new TypeError('fetch failed')), 'network', /could not be reached: fetch/],
    ['on 404', () => new Response('gone', { status: 404 }), 'http', /weights.bin: the server answered 404/],
    ['on a page instead', () => html(), 'content', /is an HTML page, not a file of a bundle/],
    ['on too few bytes', () => new Response(BYTES.subarray(1)), 'content', /has 4 bytes, the manifest says 5/],
    ['on too many', () => new Response(Uint8Array.of(...BYTES, 6)), 'content', /has more than 5 bytes/],
    ['on another hash', () => new Response(Uint8Array.of(0, 2, 3, 4, 5)), 'content', /was altered: its SHA-256 is/],
    ['when it breaks off', () => new Response(brokenStream()), 'network', /broke off: connection lost/],
  ])('%s', async (_, response, code, message) => {
    answer(response);
    const error = await fetchVerified(URL_OF_IT, EXPECTED).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ name: 'GanExportError', code, message: expect.stringMatching(message) });
  });

  it('where the page has no crypto.subtle', async () => {
    vi.stubGlobal('crypto', {});
    await expect(fetchVerified(URL_OF_IT, EXPECTED)).rejects.toThrow(/only on https:\/\/ and on localhost/);
  });

  it('with the reason of an abort', async () => {
    answer(() => Promise.reject(new DOMException('aborted', 'AbortError')));
    const signal = AbortSignal.abort();
    await expect(fetchVerified(URL_OF_IT, EXPECTED, { signal })).rejects.toBe(signal.reason);
  });
});

function answer(response: () => Response | Promise<Response>): void {
  vi.stubGlobal('fetch', async () => response());
}

function html(): Response {
  return new Response('<!doctype html>', { headers: { 'content-type': 'text/html; charset=utf-8' } });
}

function streamOf(...pieces: Uint8Array[]): ReadableStream {
  return new ReadableStream({
    start(controller) {
      for (const piece of pieces) controller.enqueue(piece);
      controller.close();
    },
  });
}

function brokenStream(): ReadableStream {
  return new ReadableStream({
    start(controller) {
      controller.enqueue(BYTES.subarray(0, 2));
      controller.error(new Error('connection lost'));
    },
  });
}
