import { make } from './dom';

/** Hand a file to the visitor. */
export function download(data: Blob, name: string): void {
  const url = URL.createObjectURL(data);
  make('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
