import { GanExportError } from '../errors';
import type { Reply } from './protocol';

/** A script of some kilobytes that has not come by then will not come. */
const MOST_MS = 60_000;

/**
 * Start a worker, and wait until it can be talked to.
 *
 * @param name by which its lock goes, too
 * @throws GanExportError `runtime` where this page lets no worker start
 */
export async function spawnWorker(name: string): Promise<Worker> {
  const address = isForeign() ? importingScript() : null;
  try {
    const worker = address === null ? ownWorker(name) : new Worker(address, { type: 'module', name });
    await firstMessage(worker);
    return worker;
  } catch (error) {
    throw new GanExportError('runtime', 'this page lets no worker start', { cause: error });
  } finally {
    if (address !== null) URL.revokeObjectURL(address);
  }
}

/** By this very form bundlers find the worker. Our own leaves it: there it is an entry, which lies beside this script. */
function ownWorker(name: string): Worker {
  return new Worker(new URL(/* @vite-ignore */ './worker.js', import.meta.url), { type: 'module', name });
}

/** Whether this script came from another origin than the page. */
function isForeign(): boolean {
  const { protocol, origin } = new URL(import.meta.url);
  return protocol.startsWith('http') && origin !== globalThis.origin;
}

/** Browsers start no worker from another origin, but one of the page's own may import it. */
function importingScript(): string {
  const script = import.meta.url.replace(/[^/]*$/, 'worker.js'); // hidden from bundlers, which would copy it once more
  return URL.createObjectURL(new Blob([`import ${JSON.stringify(script)};`], { type: 'text/javascript' }));
}

function firstMessage(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    const giveUp = (reason: string) => {
      clearTimeout(timer);
      worker.terminate();
      reject(new Error(reason));
    };
    const timer = setTimeout(giveUp, MOST_MS, 'it did not come');
    worker.onmessage = ({ data }: MessageEvent<Reply>) => {
      if (data.kind !== 'ready') return;
      clearTimeout(timer);
      resolve();
    };
    worker.onerror = (event) => {
      event.preventDefault(); // the caller works without it
      giveUp(event.message || 'it could not be loaded');
    };
  });
}
