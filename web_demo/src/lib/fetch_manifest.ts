import { absoluteUrl, fetchText } from './loading';
import { type Manifest, parseManifest } from './manifest';

/** Read the manifest of a bundle. */
export async function fetchManifest(url: string | URL, signal?: AbortSignal): Promise<Manifest> {
  const absolute = absoluteUrl(url);
  return parseManifest(await fetchText(absolute, signal), absolute);
}
