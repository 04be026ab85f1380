import { orAborted } from '../abort';
import type {
  DrawOptions,
  Encoded,
  EncodeOptions,
  GenerateOptions,
  Generator,
  LatentOptions,
  Latents,
  LoadedDirection,
  OpenOptions,
} from '../api';
import { GanExportError } from '../errors';
import { fitPicture, type Picture } from '../fit';
import { encoderOf, type Manifest } from '../manifest';
import type { Pictures } from '../pixels';
import type { RuntimeName } from '../runtimes/registry';
import { connect, type Connection } from './connection';
import { type Call, type News, type Opened, type Results, type RuntimeState, sendLatents, sendOptions } from './protocol';

/** A bundle that is open in a worker. */
interface Session {
  readonly connection: Connection;
  readonly id: number;
  readonly manifest: Manifest;
  state: RuntimeState;
}

/** Open a bundle in a worker. */
export async function openInWorker(connection: Connection, url: URL, options: OpenOptions): Promise<Generator> {
  const session = await openSession(connection, url, options, options.signal);
  return new RemoteGenerator(url, options, session);
}

/** A generator that lives in the page's worker; in another one, should that end. */
class RemoteGenerator implements Generator {
  #session: Session;
  #reopening: Promise<Session> | null = null;
  #disposed = false;

  constructor(
    readonly url: URL,
    readonly options: OpenOptions,
    session: Session,
  ) {
    this.#session = session;
  }

  get manifest(): Manifest {
    return this.#session.manifest;
  }

  get runtime(): RuntimeName {
    return this.#session.state.runtime;
  }

  get runtimeVersion(): string {
    return this.#session.state.runtimeVersion;
  }

  latents(options: LatentOptions): Promise<Latents> {
    return this.#call({ method: 'latents', options: sendOptions(options) }, options);
  }

  draw(latents: Latents, options: DrawOptions = {}): Promise<Pictures> {
    const previews = options.onPreview !== undefined;
    const sent = { latents: sendLatents(latents), options: sendOptions(options) };
    return this.#call({ method: 'draw', ...sent, previews }, options);
  }

  grow(latents: Latents, options: DrawOptions = {}): Promise<Pictures[]> {
    return this.#call({ method: 'grow', latents: sendLatents(latents), options: sendOptions(options) }, options);
  }

  generate(options: GenerateOptions): Promise<Pictures> {
    const previews = options.onPreview !== undefined;
    return this.#call({ method: 'generate', options: sendOptions(options), previews }, options);
  }

  async encode(pictures: readonly Picture[], options: EncodeOptions = {}): Promise<Encoded> {
    encoderOf(this.manifest);
    const { resolution, image_channels: channels } = this.manifest.spec;
    const fitted = pictures.map((picture) => fitPicture(picture, resolution, channels)); // less to send
    return this.#call({ method: 'encode', pictures: fitted }, options);
  }

  directions(): Promise<readonly LoadedDirection[]> {
    return this.#call({ method: 'directions' });
  }

  tensorCount(): Promise<number | null> {
    return this.#call({ method: 'tensorCount' });
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#reopening?.catch(() => undefined);
    const { connection, id } = this.#session;
    if (connection.closed) return;
    const asked = connection.newId();
    const given = connection.request(asked, { do: 'call', generator: id, call: { method: 'dispose' } }, () => undefined);
    // Nobody wants more of it: where a run in progress holds it up, the worker ends all the same.
    for (const released of [asked, id]) connection.release(released);
    await given.catch((error: unknown) => {
      if (!connection.closed) throw error;
    });
  }

  async #call<M extends Call['method']>(
    call: Call & { readonly method: M },
    options: Pick<DrawOptions, 'signal' | 'onPreview'> = {},
  ): Promise<Results[M]> {
    options.signal?.throwIfAborted();
    if (this.#disposed) throw new GanExportError('runtime', `${this.manifest.name} was disposed of`);
    if (this.#session.connection.closed) await orAborted(this.#reopen(), options.signal);
    return (await this.#ask(call, options)) as Results[M];
  }

  #ask(call: Call, { signal, onPreview }: Pick<DrawOptions, 'signal' | 'onPreview'>): Promise<unknown> {
    const { connection, id } = this.#session;
    const listener = (news: News) => news.kind === 'preview' && onPreview?.(news.pictures, news.first);
    const task = { do: 'call', generator: id, call } as const;
    return connection.request(connection.newId(), task, listener, signal);
  }

  /** Open the bundle in another worker, once for all calls that wait. */
  #reopen(): Promise<Session> {
    this.#reopening ??= openAgain(this.url, this.options)
      .then((session) => (this.#session = session))
      .finally(() => (this.#reopening = null));
    return this.#reopening;
  }
}

async function openAgain(url: URL, options: OpenOptions): Promise<Session> {
  const connection = await connect();
  if (connection === null) throw new GanExportError('runtime', 'the worker that draws has ended, and no other starts');
  return openSession(connection, url, options);
}

async function openSession(
  connection: Connection,
  url: URL,
  options: OpenOptions,
  signal?: AbortSignal,
): Promise<Session> {
  const { runtime, fallback, onProgress, onFallback } = options;
  const id = connection.newId();
  let session: Session | null = null;
  const listener = (news: News) => {
    if (news.kind === 'progress') onProgress?.(news.progress);
    if (news.kind !== 'fallback') return;
    if (session !== null && news.state !== null) session.state = news.state;
    onFallback?.(news.fallback);
  };
  const task = { do: 'open', url: url.href, options: { runtime, fallback } } as const;
  const { manifest, ...state } = (await connection.request(id, task, listener, signal)) as Opened;
  session = { connection, id, manifest, state };
  return session;
}
