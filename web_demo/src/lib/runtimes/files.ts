import { GanExportError } from '../errors';
import type { Files } from './runtime';

/** Bytes of a file of the bundle; its graphs name what they need. */
export function bytesOf(files: Files, path: string): Uint8Array {
  const bytes = files.get(path);
  if (bytes === undefined) throw new GanExportError('runtime', `${path} was not fetched`);
  return bytes;
}
