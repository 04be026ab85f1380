import type { LoadedDirection } from './api';
import { GanExportError } from './errors';
import { fetchVerified } from './loading';
import { fileOf, type Manifest } from './manifest';
import { readSafetensors } from './safetensors';

/**
 * The directions of a bundle with their vectors.
 *
 * @throws GanExportError `content` when a vector is missing or has the wrong length; what `fetchVerified` throws.
 */
export async function loadDirections(manifest: Manifest, url: URL): Promise<LoadedDirection[]> {
  const { directions, spec } = manifest;
  if (directions === null) return [];
  const file = fileOf(manifest, url, directions.file);
  const tensors = readSafetensors(await fetchVerified(file.url, file));
  return directions.items.map(({ preview: _, ...direction }) => {
    const stored = tensors.get(direction.name);
    const length = direction.space === 'w' ? spec.w_dim : spec.z_dim;
    if (stored?.dtype !== 'F32' || stored.data.length !== length) {
      throw new GanExportError('content', `${file.url.href} has no vector of ${length} numbers for ${direction.name}`);
    }
    return { ...direction, vector: stored.data };
  });
}
