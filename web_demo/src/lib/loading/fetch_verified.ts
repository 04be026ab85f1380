import { GanExportError, messageOf } from '../errors';

/** What is known of a file before it is fetched. */
export interface Expected {
  readonly bytes: number;
  readonly sha256: string;
}

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes of each piece that came. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/** An address, seen from the page where there is one. */
export function absoluteUrl(url: string | URL): URL {
  return new URL(url, globalThis.document?.baseURI);
}

/**
 * Fetch a file and check its length and SHA-256 before anybody uses it.
 *
 * @throws GanExportError `insecure`, `network`, `http` or `content`; an abort throws the signal's reason.
 */
export async function fetchVerified(url: URL, expected: Expected, options: FetchOptions = {}): Promise<Uint8Array> {
  requireSubtleCrypto();
  const response = await fetchData(url, options.signal);
  const bytes = await readBody(response, url, expected.bytes, options);
  const found = await sha256(bytes);
  if (found !== expected.sha256) {
    throw new GanExportError(
      'content',
      `${url.href} was altered: its SHA-256 is ${found}, the manifest says ${expected.sha256}`,
    );
  }
  return bytes;
}

/**
 * Fetch a file of data. A server that answers an unknown address with a page is found out here.
 *
 * @throws GanExportError `network`, `http` or `content`; an abort throws the signal's reason.
 */
export async function fetchData(url: URL, signal?: AbortSignal): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, { signal: signal ?? null });
  } catch (error) {
    signal?.throwIfAborted();
    throw new GanExportError('network', `${url.href} could not be reached: ${messageOf(error)}`, { cause: error });
  }
  if (!response.ok) throw new GanExportError('http', `${url.href}: the server answered ${response.status}`);
  if (response.headers.get('content-type')?.startsWith('text/html')) {
    throw new GanExportError('content', `${url.href} is an HTML page, not a file of a bundle`);
  }
  return response;
}

/** SHA-256 as lower-case hexadecimal digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // The buffer of a fetched file is never a SharedArrayBuffer, which is all that the type leaves open.
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

async function readBody(response: Response, url: URL, length: number, options: FetchOptions): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let position = 0;
  for await (const piece of pieces(response, url, options.signal)) {
    if (position + piece.length > length) throw wrongLength(url, `more than ${length}`, length);
    bytes.set(piece, position);
    position += piece.length;
    options.onBytes?.(piece.length);
  }
  if (position < length) throw wrongLength(url, `${position}`, length);
  return bytes;
}

async function* pieces(response: Response, url: URL, signal?: AbortSignal): AsyncGenerator<Uint8Array> {
  const reader = response.body?.getReader();
  try {
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) yield piece.value;
  } catch (error) {
    signal?.throwIfAborted();
    throw new GanExportError('network', `${url.href} broke off: ${messageOf(error)}`, { cause: error });
  } finally {
    void reader?.cancel().catch(() => undefined); // the reader left early: the rest is not wanted
  }
}

function wrongLength(url: URL, found: string, expected: number): GanExportError {
  return new GanExportError('content', `${url.href} has ${found} bytes, the manifest says ${expected}`);
}

function requireSubtleCrypto(): void {
  if (globalThis.crypto?.subtle === undefined) {
    throw new GanExportError(
      'insecure',
      'files cannot be checked here: browsers offer crypto.subtle only on https:// and on localhost',
    );
  }
}
