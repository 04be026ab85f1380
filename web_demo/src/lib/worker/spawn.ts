import { GanExportError } from '../errors';
import type { Reply } from './protocol';

/** The worker's script, which the build puts beside this one. Not `new Worker(new URL(…))`: it would be built twice. */
const SCRIPT = './worker.js';

/**
 * Start a worker, and wait until it can be talked to.
 *
 * @param name by which its lock goes, too
 * @throws GanExportError `runtime` where this page lets no worker start
 */
export async function spawnWorker(name: string): Promise<Worker> {
  const address = scriptAddress(new URL(SCRIPT, import.meta.url));
  try {
    const worker = new Worker(address, { type: 'module', name });
    await firstMessage(worker);
    return worker;
  } catch (error) {
    throw new GanExportError('runtime', 'this page lets no worker start', { cause: error });
  } finally {
    if (address.startsWith('blob:')) URL.revokeObjectURL(address);
  }
}

/** Browsers start no worker from another origin, but one of the page's own may import it. */
function scriptAddress(script: URL): string {
  if (script.origin === location.origin) return script.href;
  const imports = `import ${JSON.stringify(script.href)};`;
  return URL.createObjectURL(new Blob([imports], { type: 'text/javascript' }));
}

function firstMessage(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => data.kind === 'ready' && resolve();
    worker.onerror = (event) => {
      event.preventDefault(); // the caller works without it
      worker.terminate();
      reject(new Error(event.message || 'it could not be loaded'));
    };
  });
}
