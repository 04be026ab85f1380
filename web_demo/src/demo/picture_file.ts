import { make } from './dom';
import { withTexts } from './png';
import { type Shown, type Studio, truncationOf } from './studio';
import { paint } from './tile';

/** What it takes to draw a picture again, as it stands in the file. */
export interface PictureRecord {
  readonly model: string;
  readonly weights_sha256: string;
  readonly title: string;
  readonly seed: number | null;
  readonly label: number | null;
  readonly psi: number;
  readonly cutoff: number | null;
  readonly noise: string;
  readonly link: string | null;
}

/** A picture as a PNG whose texts say what it is. @param link the address that shows it; null where none does */
export async function pictureFile(shown: Shown, studio: Studio, link: string | null): Promise<Blob> {
  const canvas = make('canvas');
  paint(canvas, shown);
  const plain = await new Promise<Blob>((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('this browser could not write a PNG'))), 'image/png');
  });
  const record = recordOf(shown, studio, link);
  const texts = {
    Title: `${record.model}: ${shown.title}`,
    Software: 'ganexport',
    ...(link !== null && { Source: link }),
    ganexport: JSON.stringify(record),
  };
  return new Blob([withTexts(new Uint8Array(await plain.arrayBuffer()), texts)], { type: 'image/png' });
}

/** A name for the file of a picture, without the characters that file systems dislike. */
export function pictureFileName(shown: Shown, model: string): string {
  return `${model} ${shown.title}`.toLowerCase().replace(/[^\p{L}\p{N}.-]+/gu, '-').replace(/^-+|-+$/g, '') + '.png';
}

function recordOf(shown: Shown, studio: Studio, link: string | null): PictureRecord {
  const { manifest, settings } = studio;
  const { noise } = settings;
  const { psi, cutoff } = truncationOf(shown, studio);
  const { seed, label, title } = shown;
  const { name: model, provenance } = manifest;
  return { model, weights_sha256: provenance.weights_sha256, title, seed, label, psi, cutoff, noise, link };
}
