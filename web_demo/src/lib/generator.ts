import type { Generator, OpenOptions } from './api';
import { openInPlace } from './in_place';
import { absoluteUrl } from './loading';

export { fetchManifest } from './fetch_manifest';

/**
 * Fetch a bundle, check its files and make it ready to draw.
 *
 * @param url address of its `ganexport.json`
 * @throws GanExportError whose `code` says what was wrong; an abort throws the signal's reason.
 */
export function openBundle(url: string | URL, options: OpenOptions = {}): Promise<Generator> {
  return openInPlace(absoluteUrl(url), options);
}
