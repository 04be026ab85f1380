import { GIFEncoder } from 'gifenc';

import { indexed } from './palette';

/** A picture to add, with its time in milliseconds; null for the end. */
export type GifOrder = { readonly image: ImageData; readonly delay: number } | null;

/** Null when a picture is in; the file at the end. */
export type GifReply = Uint8Array<ArrayBuffer> | null;

const gif = GIFEncoder();

addEventListener('message', ({ data: order }: MessageEvent<GifOrder>) => {
  if (order === null) {
    gif.finish();
    reply(gif.bytes());
  } else {
    const { image, delay } = order;
    const { palette, index } = indexed(image.data);
    gif.writeFrame(index, image.width, image.height, { palette, delay });
    reply(null);
  }
});

function reply(message: GifReply): void {
  postMessage(message, { transfer: message === null ? [] : [message.buffer] });
}
