import { fetchManifest } from '../lib';
import { absoluteUrl, fetchText } from '../lib/loading';
import { filesOfGraph, type Manifest, urlOf } from '../lib/manifest';

/** A bundle of this site. */
export interface ModelEntry {
  readonly name: string;
  /** Address of its `ganexport.json`, relative to the page. */
  readonly manifest: string;
}

/** The bundles of the site and, once they were asked for, their manifests. */
export class Models {
  readonly #manifests = new Map<string, Promise<Manifest>>();

  constructor(readonly entries: readonly ModelEntry[]) {}

  /** The entry of this name; the first where there is none. */
  find(name: string): ModelEntry {
    return this.entries.find((entry) => entry.name === name) ?? this.entries[0]!;
  }

  /** The manifest of an entry, fetched once; what failed is fetched anew when it is asked for again. */
  manifest(entry: ModelEntry): Promise<Manifest> {
    const known = this.#manifests.get(entry.name);
    if (known) return known;
    const fetched = fetchManifest(entry.manifest);
    this.#manifests.set(entry.name, fetched);
    fetched.catch(() => this.#manifests.delete(entry.name));
    return fetched;
  }
}

/** Read `models.json`, which `ganexport site` writes beside the page. */
export async function fetchModels(): Promise<Models> {
  const data: unknown = JSON.parse(await fetchText(absoluteUrl('models.json')));
  if (!isModels(data) || data.models.length === 0) throw new Error('models.json lists no models');
  return new Models(data.models);
}

/** Address of the picture that stands for a model; null without one. */
export function previewUrl(entry: ModelEntry, { preview }: Manifest): string | null {
  return preview === null ? null : urlOf(absoluteUrl(entry.manifest), preview).href;
}

/** Bytes that a visitor loads to draw with a model, beside the runtime. */
export function bytesToLoad({ targets, files }: Manifest): number {
  const graphs = targets.onnx ?? targets.tfjs;
  const needed = [graphs?.mapping, ...(graphs?.synthesis ?? [])].flatMap((graph) => (graph ? filesOfGraph(graph) : []));
  return [...new Set(needed)].reduce((sum, path) => sum + (files[path]?.bytes ?? 0), 0);
}

function isModels(data: unknown): data is { models: ModelEntry[] } {
  return typeof data === 'object' && data !== null && 'models' in data && Array.isArray(data.models) && data.models.every(isEntry);
}

function isEntry(entry: unknown): entry is ModelEntry {
  const { name, manifest } = (entry ?? {}) as Partial<Record<keyof ModelEntry, unknown>>;
  return typeof name === 'string' && typeof manifest === 'string';
}
