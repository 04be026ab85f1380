import { GanExportError, messageOf } from '../errors';
import { pieces, unlessSilent } from './body';
import { PassingFailure, retryAfter, withRetries } from './retry';

/** Answers that another attempt may change; so may each of 5xx. */
const PASSING_STATUS = [408, 425, 429];

/** A text that is longer is none of ours; Python reads no longer manifests either. */
const MOST_TEXT_BYTES = 64 << 20;

/**
 * An address, seen from the page where there is one.
 *
 * @throws GanExportError `option` when it is none, or none beside which other files can lie, such as a `data:` URL.
 */
export function absoluteUrl(url: string | URL): URL {
  const base = globalThis.document?.baseURI;
  if (!URL.canParse(url, base) || !URL.canParse('.', new URL(url, base))) {
    const found = String(url).slice(0, 80);
    throw new GanExportError('option', `${found} is not the address of a file on a server, such as models/x/ganexport.json`);
  }
  return new URL(url, base);
}

/**
 * Fetch a text, again when that may help. A server that answers an unknown address with a page is found out.
 *
 * @throws GanExportError `network`, `http` or `content`; an abort throws the signal's reason.
 */
export function fetchText(url: URL, signal?: AbortSignal): Promise<string> {
  // A host may let browsers keep files for a while: a manifest of yesterday would not fit the weights of today.
  const init: RequestInit = { signal: signal ?? null, cache: 'no-cache' };
  return withRetries(async () => {
    const parts: Uint8Array<ArrayBuffer>[] = [];
    let length = 0;
    for await (const piece of pieces(await request(url, init), url, signal)) {
      length += piece.length;
      if (length > MOST_TEXT_BYTES) throw new GanExportError('content', `${url.href} is larger than 64 MiB: no manifest is`);
      parts.push(piece);
    }
    return new Blob(parts).text();
  }, signal);
}

/**
 * One attempt.
 *
 * @param accepted statuses that the caller deals with, besides those of success
 * @throws PassingFailure when another one may succeed, else GanExportError `network`, `http` or `content`.
 */
export async function request(url: URL, init: RequestInit, accepted: readonly number[] = []): Promise<Response> {
  const silent = new AbortController();
  const signal = AbortSignal.any([silent.signal, ...(init.signal ? [init.signal] : [])]);
  let response: Response;
  try {
    response = await unlessSilent(fetch(url, { ...init, signal }));
  } catch (error) {
    silent.abort();
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
