import { orAborted } from './abort';
import type { Generator, OpenOptions } from './api';
import { absoluteUrl } from './loading';
import { openInWorker } from './worker/client';
import { connect } from './worker/connection';

export { fetchManifest } from './fetch_manifest';

/**
 * Fetch a bundle, check its files and make it ready to draw: in the page's worker, where there can be one.
 *
 * @param url address of its `ganexport.json`
 * @throws GanExportError whose `code` says what was wrong; an abort throws the signal's reason.
 */
export async function openBundle(url: string | URL, options: OpenOptions = {}): Promise<Generator> {
  const absolute = absoluteUrl(url);
  const connection = options.worker === false ? null : await orAborted(connect(), options.signal);
  if (connection !== null) return openInWorker(connection, absolute, options);
  const { openInPlace } = await import('./in_place');
  return openInPlace(absolute, options);
}
