import { absoluteUrl, fetchData } from '../lib/loading/fetch_verified';

/** A bundle of this site. */
export interface ModelEntry {
  readonly name: string;
  /** Address of its `ganexport.json`, relative to the page. */
  readonly manifest: string;
}

/** Read `models.json`, which `ganexport site` writes beside the page. */
export async function fetchModels(): Promise<ModelEntry[]> {
  const data: unknown = await (await fetchData(absoluteUrl('models.json'))).json();
  if (!isModels(data) || data.models.length === 0) throw new Error('models.json lists no models');
  return data.models;
}

function isModels(data: unknown): data is { models: ModelEntry[] } {
  return typeof data === 'object' && data !== null && 'models' in data && Array.isArray(data.models);
}
