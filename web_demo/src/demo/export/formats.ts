import type { Encode } from './film';
import { encodeGif } from './gif';
import { encodeStrip } from './strip';
import { encodeWebm, makesVideo } from './video';

/** A kind of file that a film can become. */
export interface Format {
  readonly extension: string;
  readonly title: string;
  readonly encode: Encode;
  /** Whether this browser can make it. */
  readonly available: () => boolean;
}

const everywhere = () => true;

export const FORMATS: readonly Format[] = [
  { extension: 'webm', title: 'WebM video', encode: encodeWebm, available: makesVideo },
  { extension: 'gif', title: 'GIF', encode: encodeGif, available: everywhere },
  { extension: 'png', title: 'PNG strip', encode: encodeStrip, available: everywhere },
];
