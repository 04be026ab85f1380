import { GanExportError } from '../../lib/errors';
import { type EncodeOptions, type Film, forPlayers } from './film';
import type { GifOrder, GifReply } from './gif_worker';

/** A GIF that repeats for ever, made beside the page. */
export async function encodeGif(film: Film, { signal, onFrame }: EncodeOptions): Promise<Blob> {
  const worker = new Worker(new URL('./gif_worker.ts', import.meta.url), { type: 'module' });
  try {
    let done = 0;
    for await (const frame of film.frames(signal)) {
      const image = forPlayers(frame);
      await ask(worker, { image, delay: 1000 / film.rate }, signal);
      onFrame(++done);
    }
    const bytes = await ask(worker, null, signal);
    if (bytes === null) throw new GanExportError('runtime', 'the GIF came to no end');
    return new Blob([bytes], { type: 'image/gif' });
  } finally {
    worker.terminate();
  }
}

function ask(worker: Worker, order: GifOrder, signal: AbortSignal): Promise<GifReply> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    worker.onmessage = ({ data }: MessageEvent<GifReply>) => {
      signal.removeEventListener('abort', abort);
      resolve(data);
    };
    worker.onerror = ({ message }) => {
      reject(new GanExportError('runtime', `the GIF could not be made: ${message || 'its worker did not start'}`));
    };
    worker.postMessage(order);
  });
}
