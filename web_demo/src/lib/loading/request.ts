import { GanExportError, messageOf } from '../errors';
import { PassingFailure, retryAfter, withRetries } from './retry';

/** Answers that another attempt may change; so may each of 5xx. */
const PASSING_STATUS = [408, 425, 429];

/** An address, seen from the page where there is one. */
export function absoluteUrl(url: string | URL): URL {
  return new URL(url, globalThis.document?.baseURI);
}

/**
 * Fetch a file of data, again when that may help. A server that answers an unknown address with a page is found out.
 *
 * @throws GanExportError `network`, `http` or `content`; an abort throws the signal's reason.
 */
export function fetchData(url: URL, signal?: AbortSignal): Promise<Response> {
  // A host may let browsers keep files for a while: a manifest of yesterday would not fit the weights of today.
  return withRetries(() => request(url, { signal: signal ?? null, cache: 'no-cache' }), signal);
}

/**
 * One attempt.
 *
 * @param accepted statuses that the caller deals with, besides those of success
 * @throws PassingFailure when another one may succeed, else GanExportError `network`, `http` or `content`.
 */
export async function request(url: URL, init: RequestInit, accepted: readonly number[] = []): Promise<Response> {
  let response: Response;
  try {
    response = await fetch(url, init);
  } catch (error) {
    init.signal?.throwIfAborted();
    throw unreachable(url, error);
  }
  if (accepted.includes(response.status)) return response;
  if (!response.ok) {
    void response.body?.cancel().catch(() => undefined);
    throw refused(url, response);
  }
  if (response.headers.get('content-type')?.startsWith('text/html')) {
    void response.body?.cancel().catch(() => undefined);
    throw new GanExportError('content', `${url.href} is an HTML page, not a file of a bundle`);
  }
  return response;
}

function unreachable(url: URL, cause: unknown): GanExportError | PassingFailure {
  const offline = globalThis.navigator?.onLine === false;
  const why = offline ? 'this device is offline, and has not kept the file' : `${messageOf(cause)}${forbidden(url)}`;
  const error = new GanExportError('network', `${url.href} could not be reached: ${why}`, { cause });
  return offline ? error : new PassingFailure(error);
}

/** What else may be the reason: browsers do not tell a page that the other origin did not let it. */
function forbidden(url: URL): string {
  const own = globalThis.origin;
  if (own === undefined || own === url.origin) return '';
  return `; if it is there, its server must send the header Access-Control-Allow-Origin to let pages of ${own} use it`;
}

function refused(url: URL, { status, headers }: Response): GanExportError | PassingFailure {
  const error = new GanExportError('http', `${url.href}: the server answered ${status}`);
  const passing = status >= 500 || PASSING_STATUS.includes(status);
  return passing ? new PassingFailure(error, retryAfter(headers)) : error;
}
