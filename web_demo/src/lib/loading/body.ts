import { GanExportError, messageOf } from '../errors';
import { PassingFailure } from './retry';

/** A server from which nothing comes for so long is given up. */
const SILENCE_MS = 60_000;

/** The bytes of an answer as they come. @throws PassingFailure when they break off, or nothing comes any more */
export async function* pieces(response: Response, url: URL, signal?: AbortSignal): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = response.body?.getReader();
  const next = async () => reader && unlessSilent(reader.read());
  try {
    for (let piece = await next(); piece && !piece.done; piece = await next()) yield piece.value;
  } catch (error) {
    signal?.throwIfAborted();
    const message = `${url.href} broke off: ${messageOf(error)}`;
    throw new PassingFailure(new GanExportError('network', message, { cause: error }));
  } finally {
    void reader?.cancel().catch(() => undefined); // the reader left early: the rest is not wanted
  }
}

/** What comes of a promise, or an error when that takes too long. */
export async function unlessSilent<T>(answer: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const silence = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`nothing came for ${SILENCE_MS / 1000} seconds`)), SILENCE_MS);
  });
  try {
    return await Promise.race([answer, silence]);
  } finally {
    clearTimeout(timer);
  }
}
