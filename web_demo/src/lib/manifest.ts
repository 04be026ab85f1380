import { GanExportError } from './errors';
import type { Encoder, FileEntry, Graph, Manifest } from './manifest.generated';
import schema from './manifest.schema.generated.json';
import { misfitOf } from './schema';

export type * from './manifest.generated';

/** Kinds of artefact that a bundle can hold. */
export type TargetName = keyof Manifest['targets'];

const SCHEMA_VERSION = 1;

const NOT_IN_OLDER_BUNDLES = { previews: [], directions: null, encoder: null, inside: [] } as const;

/**
 * Check the text of a `ganexport.json`.
 *
 * @throws GanExportError `manifest` when it is none, or has a schema that this version does not read.
 */
export function parseManifest(text: string, url: URL): Manifest {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new GanExportError('manifest', `${url.href} is no JSON`);
  }
  if (typeof data !== 'object' || data === null || !('schema_version' in data)) {
    throw new GanExportError('manifest', `${url.href} is no ganexport.json: it has no schema_version`);
  }
  if (data.schema_version !== SCHEMA_VERSION) {
    const found = JSON.stringify(data.schema_version);
    throw new GanExportError(
      'manifest',
      `${url.href} has schema version ${found}; this library reads version ${SCHEMA_VERSION}`,
    );
  }
  const misfit = misfitOf(data, schema);
  if (misfit !== null) throw new GanExportError('manifest', `${url.href} is no valid manifest: look at ${misfit}`);
  return { ...NOT_IN_OLDER_BUNDLES, ...(data as Manifest) };
}

/**
 * Address, size and hash of a file of the bundle.
 *
 * @throws GanExportError `manifest` when the manifest does not list it, or when it would lie outside the bundle.
 */
export function fileOf(manifest: Manifest, manifestUrl: URL, path: string): FileEntry & { readonly url: URL } {
  const entry = Object.hasOwn(manifest.files, path) ? manifest.files[path] : undefined;
  if (entry === undefined) throw new GanExportError('manifest', `${manifestUrl.href} does not list ${path}`);
  return { ...entry, url: urlOf(manifestUrl, path) };
}

/**
 * Address of something within the bundle.
 *
 * @throws GanExportError `manifest` when it would lie outside.
 */
export function urlOf(manifestUrl: URL, path: string): URL {
  const folder = new URL('.', manifestUrl).href;
  const url = new URL(path, manifestUrl);
  if (!url.href.startsWith(folder)) {
    throw new GanExportError('manifest', `${manifestUrl.href} names ${path}, which lies outside the bundle`);
  }
  return url;
}

/**
 * What finds the latents of pictures.
 *
 * @throws GanExportError `option` when the bundle has none.
 */
export function encoderOf({ name, encoder }: Manifest): Encoder {
  if (encoder === null) throw new GanExportError('option', `${name} has no encoder: latents of pictures cannot be found`);
  return encoder;
}

/** The files that a graph needs: itself, then its weights. */
export function filesOfGraph(graph: Graph): string[] {
  return [graph.file, ...graph.weight_files];
}
