import { GanExportError } from '../../lib/errors';
import { type EncodeOptions, type Film, forPlayers } from './film';
import { type Chunk, webmOf } from './webm';

/** Pictures that the encoder may hold back before it is given more. */
const MOST_WAITING = 8;
const BITS_A_PIXEL = 0.4;

/** Whether this browser makes videos: it needs WebCodecs, which pages have on https and on localhost only. */
export function makesVideo(): boolean {
  return typeof VideoEncoder !== 'undefined';
}

/** A WebM video (VP8), each picture of which is shown as long as the others: no recording against the clock. */
export async function encodeWebm(film: Film, { signal, onFrame }: EncodeOptions): Promise<Blob> {
  if (!makesVideo()) throw new GanExportError('runtime', 'this browser makes no videos (no WebCodecs): take a GIF');
  const chunks: Chunk[] = [];
  let failure: unknown = null;
  const encoder = new VideoEncoder({
    output: (chunk) => chunks.push(chunkOf(chunk)),
    error: (error) => {
      failure = error;
      encoder.dispatchEvent(new Event('dequeue')); // whoever waits for room learns of it
    },
  });
  let size = { width: 0, height: 0 };
  let done = 0;
  try {
    for await (const image of film.frames(signal)) {
      const picture = forPlayers(image);
      if (done === 0) {
        size = { width: picture.width, height: picture.height };
        const bitrate = Math.max(1e6, size.width * size.height * film.rate * BITS_A_PIXEL);
        encoder.configure({ codec: 'vp8', ...size, bitrate, framerate: film.rate });
      }
      const frame = await frameOf(picture, done, film.rate);
      encoder.encode(frame, { keyFrame: done % film.rate === 0 });
      frame.close();
      while (encoder.encodeQueueSize > MOST_WAITING && failure === null) await dequeued(encoder);
      if (failure !== null) break;
      onFrame(++done);
    }
    if (failure === null) await encoder.flush();
    signal.throwIfAborted();
  } finally {
    if (encoder.state !== 'closed') encoder.close();
  }
  if (failure !== null) throw new GanExportError('runtime', `the video could not be made: ${String(failure)}`);
  const track = { codec: 'V_VP8' as const, ...size, duration: (1000 * done) / film.rate };
  return new Blob([webmOf(track, chunks)], { type: 'video/webm' });
}

async function frameOf(picture: ImageData, position: number, rate: number): Promise<VideoFrame> {
  const bitmap = await createImageBitmap(picture);
  const timestamp = Math.round((1e6 * position) / rate); // microseconds
  const frame = new VideoFrame(bitmap, { timestamp, duration: Math.round(1e6 / rate) });
  bitmap.close();
  return frame;
}

function chunkOf(chunk: EncodedVideoChunk): Chunk {
  const data = new Uint8Array(chunk.byteLength);
  chunk.copyTo(data);
  return { data, time: Math.round(chunk.timestamp / 1000), key: chunk.type === 'key' };
}

function dequeued(encoder: VideoEncoder): Promise<void> {
  return new Promise((resolve) => encoder.addEventListener('dequeue', () => resolve(), { once: true }));
}
