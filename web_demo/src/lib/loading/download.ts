import { GanExportError } from '../errors';
import { pieces } from './body';
import type { Incoming } from './incoming';
import { request } from './request';
import { PassingFailure, withRetries } from './retry';

/**
 * Fetch what is missing of a file. A download that breaks off goes on where it stopped.
 *
 * @throws GanExportError `network`, `http` or `content`; an abort throws the signal's reason.
 */
export function download(url: URL, incoming: Incoming, init: RequestInit): Promise<void> {
  const attempt = async () => {
    const before = incoming.furthest;
    try {
      await receive(await requestRest(url, incoming, init), url, incoming, init.signal ?? undefined);
      if (incoming.position < incoming.length) throw await endedEarly(url, incoming, incoming.furthest > before);
    } catch (failure) {
      if (failure instanceof PassingFailure) failure.advanced = incoming.furthest > before;
      throw failure;
    }
  };
  return withRetries(attempt, init.signal ?? undefined);
}

/** The rest of a file where the server gives parts, else all of it. */
async function requestRest(url: URL, incoming: Incoming, init: RequestInit): Promise<Response> {
  if (incoming.position > 0) {
    const headers = { Range: `bytes=${incoming.position}-` };
    const response = await request(url, { ...init, headers }, [416]);
    if (response.status === 206 && isRest(response, incoming)) return response;
    await incoming.restart();
    if (response.status === 200) return response;
    void response.body?.cancel().catch(() => undefined);
  }
  const response = await request(url, init);
  if (response.status !== 200) {
    throw new GanExportError('http', `${url.href}: the server answered ${response.status} to a request for the file`);
  }
  return response;
}

/** Whether a part is the one that was asked for. Another origin's server may keep that to itself: the hash will tell. */
function isRest({ headers, type }: Response, { position, length }: Incoming): boolean {
  const range = headers.get('content-range');
  if (range === null) return type === 'cors';
  const [, first, last, total] = /^bytes (\d+)-(\d+)\/(\d+|\*)$/.exec(range) ?? [];
  return Number(first) === position && Number(last) < length && (total === '*' || Number(total) === length);
}

async function receive(response: Response, url: URL, incoming: Incoming, signal?: AbortSignal): Promise<void> {
  for await (const bytes of pieces(response, url, signal)) {
    if (incoming.position + bytes.length > incoming.length) {
      await incoming.restart();
      throw wrongLength(url, `more than ${incoming.length}`, incoming.length);
    }
    await incoming.add(bytes);
  }
}

/** Some connections end like a whole file when they break: ask for the rest once, and see whether there is any. */
async function endedEarly(url: URL, incoming: Incoming, advanced: boolean): Promise<Error> {
  const error = wrongLength(url, `${incoming.position}`, incoming.length);
  if (advanced) return new PassingFailure(error);
  await incoming.restart();
  return error;
}

function wrongLength(url: URL, found: string, expected: number): GanExportError {
  return new GanExportError('content', `${url.href} has ${found} bytes, the manifest says ${expected}`);
}
