import type { Inside, InsidePicture, Manifest } from '../../lib/manifest';

/** What the tool shows. */
export interface InsideView {
  readonly entry: Inside;
  /** Which of the manifest's entries it is. */
  readonly at: number;
  readonly layer: InsidePicture;
  /** How the picture comes together; null where that was not drawn. */
  readonly together: InsidePicture | null;
}

/** Read `9:3/b16.conv1`: seed 9 of class 3, and a layer. What is not there is the first picture, or a layer in the middle. */
export function readInside(text: string, { inside }: Pick<Manifest, 'inside'>): InsideView {
  const [pick = '', name = ''] = text.split('/');
  const at = Math.max(0, inside.findIndex((one) => keyOf(one) === pick));
  const entry = inside[at]!;
  const layers = layersOf(entry);
  const layer = layers.find((one) => one.layer === name) ?? layers[layers.length >> 1] ?? entry.items[0]!;
  return { entry, at, layer, together: entry.items.find((one) => one.layer === null) ?? null };
}

export function writeInside({ entry, layer }: Pick<InsideView, 'entry' | 'layer'>): string {
  return `${keyOf(entry)}/${layer.layer ?? ''}`;
}

/** The items that show a layer. */
export function layersOf({ items }: Inside): InsidePicture[] {
  return items.filter(({ layer }) => layer !== null);
}

function keyOf({ seed, label }: Inside): string {
  return label === null ? String(seed) : `${seed}:${label}`;
}
