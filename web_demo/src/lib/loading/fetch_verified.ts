import { GanExportError } from '../errors';
import { makeRoom } from './cache';
import { download } from './download';
import { requireSubtleCrypto, sha256 } from './hash';
import { Incoming } from './incoming';
import { withLock } from './lock';
import { openStore, type Store } from './store';

/** What is known of a file before it is fetched. */
export interface Expected {
  readonly bytes: number;
  readonly sha256: string;
}

export interface FetchOptions {
  readonly signal?: AbortSignal | undefined;
  /** Called with the number of bytes that are new; each byte of the file is counted once. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/** What this page or worker has fetched, for tests and the curious. */
export const fetchCounts = {
  /** Files that were there already. */
  kept: 0,
  /** Files of which a part was there already. */
  resumed: 0,
  /** Kept files that turned out to be damaged, and were fetched again. */
  damaged: 0,
};

/**
 * Fetch a file, or take it from what earlier loads have kept, and check its length and SHA-256 before anybody uses it.
 *
 * A file is kept under its SHA-256, whatever its address. What has come of it is kept too when the load fails or is
 * aborted, and the next load goes on from there.
 *
 * @throws GanExportError `insecure`, `network`, `http` or `content`; an abort throws the signal's reason.
 */
export async function fetchVerified(url: URL, expected: Expected, options: FetchOptions = {}): Promise<Uint8Array> {
  requireSubtleCrypto();
  options.signal?.throwIfAborted();
  const store = await openStore();
  const task = () => load(url, expected, store, options);
  return store === null ? task() : withLock(expected.sha256, task, options.signal);
}

async function load(url: URL, expected: Expected, store: Store | null, options: FetchOptions): Promise<Uint8Array> {
  const incoming = new Incoming(expected.sha256, expected.bytes, store, options.onBytes);
  await incoming.resume();
  options.signal?.throwIfAborted();
  const kept = incoming.position;
  const isWhole = kept === expected.bytes;
  if (isWhole) fetchCounts.kept++;
  else if (kept > 0) fetchCounts.resumed++;

  let found = await finish(url, incoming, store, options.signal);
  if (found !== expected.sha256 && kept > 0) {
    fetchCounts.damaged++;
    await incoming.restart();
    found = await finish(url, incoming, store, options.signal);
  }
  if (found !== expected.sha256) {
    await incoming.restart();
    throw new GanExportError(
      'content',
      `${url.href} was altered: its SHA-256 is ${found}, the manifest says ${expected.sha256}`,
    );
  }
  if (store) await makeRoom(store, expected.sha256, { grown: !isWhole });
  return incoming.bytes;
}

/** Fetch what is missing; returns the hash of the whole. */
async function finish(url: URL, incoming: Incoming, store: Store | null, signal?: AbortSignal): Promise<string> {
  // What we keep, the browser need not keep as well.
  const init: RequestInit = { signal: signal ?? null, cache: store === null ? 'no-cache' : 'no-store' };
  try {
    if (incoming.position < incoming.length) await download(url, incoming, init);
  } finally {
    await incoming.save();
  }
  return sha256(incoming.bytes);
}
