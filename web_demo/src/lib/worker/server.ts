import type { Generator } from '../api';
import { GanExportError } from '../errors';
import { openInPlace } from '../in_place';
import type { Pictures } from '../pixels';
import { type Call, type News, type Opened, type Reply, type Request, type RuntimeState, sendError } from './protocol';

/** Where messages come and go: a worker's own scope, or one end of a `MessageChannel`. */
export interface Port {
  onmessage: ((event: MessageEvent) => unknown) | null;
  postMessage(message: Reply, options: StructuredSerializeOptions): void;
}

type OpenRequest = Request & { readonly do: 'open' };
type CallRequest = Request & { readonly do: 'call' };

/** A result, and the memory that goes with it: large things are handed over, not copied. */
interface Parcel {
  readonly value: unknown;
  readonly transfer: Transferable[];
}

/** Open bundles and draw, as the other side of the port asks. */
export function serve(port: Port, open: typeof openInPlace = openInPlace): void {
  const generators = new Map<number, Generator>();
  const running = new Map<number, AbortController>();

  function tell(id: number, news: News, transfer: Transferable[] = []): void {
    port.postMessage({ id, ...news }, { transfer });
  }

  async function openFor({ id, url, options }: OpenRequest, signal: AbortSignal): Promise<Parcel> {
    const generator = await open(url, {
      ...options,
      signal,
      onProgress: (progress) => tell(id, { kind: 'progress', progress }),
      onFallback: (fallback) => {
        const opened = generators.get(id);
        tell(id, { kind: 'fallback', fallback, state: opened ? stateOf(opened) : null });
      },
    });
    generators.set(id, generator);
    const opened: Opened = { manifest: generator.manifest, ...stateOf(generator) };
    return { value: opened, transfer: [] };
  }

  async function callFor({ id, generator: of, call }: CallRequest, signal: AbortSignal): Promise<Parcel> {
    const generator = generators.get(of);
    if (generator === undefined) throw new GanExportError('runtime', 'the generator was disposed of');
    if (call.method === 'dispose') generators.delete(of);
    return run(generator, call, signal, (pictures, first) =>
      tell(id, { kind: 'preview', pictures, first }, [pictures.data.buffer]),
    );
  }

  async function answer(request: OpenRequest | CallRequest): Promise<void> {
    const { id } = request;
    const stop = new AbortController();
    running.set(id, stop);
    try {
      const doing = request.do === 'open' ? openFor(request, stop.signal) : callFor(request, stop.signal);
      const { value, transfer } = await doing;
      port.postMessage({ id, kind: 'done', value }, { transfer });
    } catch (error) {
      port.postMessage({ id, kind: 'failed', error: sendError(error) }, {});
    } finally {
      running.delete(id);
    }
  }

  function abort(id: number): void {
    running.get(id)?.abort();
    void generators.get(id)?.dispose(); // it was opened before the page was heard
    generators.delete(id);
  }

  port.onmessage = ({ data: request }: MessageEvent<Request>) => {
    if (request.do === 'abort') abort(request.id);
    else void answer(request);
  };
}

async function run(
  generator: Generator,
  call: Call,
  signal: AbortSignal,
  onPreview: (pictures: Pictures, first: number) => void,
): Promise<Parcel> {
  switch (call.method) {
    case 'latents': {
      const latents = await generator.latents({ ...call.options, signal });
      return { value: latents, transfer: [latents.tensor.data.buffer as ArrayBuffer] };
    }
    case 'draw':
    case 'generate': {
      const options = { signal, onPreview: call.previews ? onPreview : undefined };
      const pictures = await (call.method === 'draw'
        ? generator.draw(call.latents, { ...call.options, ...options })
        : generator.generate({ ...call.options, ...options }));
      return { value: pictures, transfer: [pictures.data.buffer] };
    }
    case 'grow': {
      const grown = await generator.grow(call.latents, { ...call.options, signal });
      return { value: grown, transfer: grown.map(({ data }) => data.buffer) };
    }
    case 'encode':
      return { value: await generator.encode(call.pictures, { signal }), transfer: [] };
    default: // directions are kept, hence copied
      return { value: await generator[call.method](), transfer: [] };
  }
}

function stateOf({ runtime, runtimeVersion }: Generator): RuntimeState {
  return { runtime, runtimeVersion };
}
