import { GanExportError } from '../errors';
import { type News, receiveError, type Reply, type Request, type Task } from './protocol';
import { spawnWorker } from './spawn';

/** How long a worker without bundles is kept. Its end gives back the memory that runtimes never do. */
const IDLE_MS = 5000;

interface Pending {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

let current: Promise<Connection> | null = null;

/** The connection to the page's one worker, which is started where there is none; null where none can be. */
export async function connect(): Promise<Connection | null> {
  if (typeof Worker === 'undefined') return null;
  current ??= startConnection();
  const starting = current;
  try {
    return await starting;
  } catch {
    if (current === starting) current = null; // the next call tries again
    return null;
  }
}

async function startConnection(): Promise<Connection> {
  const name = `ganexport-${crypto.randomUUID()}`;
  const connection = new Connection(await spawnWorker(name), () => (current = null));
  const end = () => connection.close('the browser has ended it');
  navigator.locks?.request(name, end).catch(() => undefined); // without locks, only errors tell of its end
  connection.rest(); // who asked for it may want it no more
  return connection;
}

/** Requests to a worker, and what comes back. */
export class Connection {
  readonly #pending = new Map<number, Pending>();
  readonly #listeners = new Map<number, (news: News) => void>();
  #closed = false;
  #lastId = 0;
  #resting: ReturnType<typeof setTimeout> | undefined;

  constructor(
    readonly worker: Worker,
    readonly onClose: () => void,
  ) {
    worker.onmessage = ({ data }: MessageEvent<Reply>) => this.#receive(data);
    worker.onerror = (event) => this.close(event.message);
    worker.onmessageerror = () => this.close('a message could not be read');
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** A number for a request. */
  newId(): number {
    return ++this.#lastId;
  }

  /**
   * Ask the worker. What it tells on the way goes to the listener; of an open bundle it may tell more until `release`.
   *
   * @throws what failed in the worker; the signal's reason; GanExportError `broken` when the worker ended
   */
  request(id: number, task: Task, listener: (news: News) => void, signal?: AbortSignal): Promise<unknown> {
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      if (this.#closed) throw ended('it is gone');
      this.#post({ id, ...task });
      const abort = () => {
        this.#post({ id, do: 'abort' });
        settle(() => reject(signal?.reason), false);
      };
      const settle = (tell: () => void, keep: boolean) => {
        signal?.removeEventListener('abort', abort);
        this.#pending.delete(id);
        if (!keep) this.release(id);
        tell();
      };
      signal?.addEventListener('abort', abort);
      clearTimeout(this.#resting);
      this.#listeners.set(id, listener);
      this.#pending.set(id, {
        resolve: (value) => settle(() => resolve(value), task.do === 'open'),
        reject: (error) => settle(() => reject(error), false),
      });
    });
  }

  /** Listen no more to what an open bundle tells. */
  release(id: number): void {
    this.#listeners.delete(id);
    this.rest();
  }

  /** End the worker after a while if nobody wants anything of it. */
  rest(): void {
    if (this.#listeners.size > 0 || this.#closed) return;
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.close('it was not needed'), IDLE_MS);
  }

  /** End the worker; who waits for it is told. */
  close(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#resting);
    this.worker.terminate();
    this.onClose();
    for (const { reject } of [...this.#pending.values()]) reject(ended(reason));
  }

  #post(request: Request): void {
    this.worker.postMessage(request);
  }

  #receive(reply: Reply): void {
    if (reply.kind === 'ready') return;
    if (reply.kind === 'done') this.#pending.get(reply.id)?.resolve(reply.value);
    else if (reply.kind === 'failed') this.#pending.get(reply.id)?.reject(receiveError(reply.error));
    else this.#listeners.get(reply.id)?.(reply);
  }
}

function ended(reason: string): GanExportError {
  return new GanExportError('broken', `the worker that draws has ended: ${reason}; the next call starts another`);
}
