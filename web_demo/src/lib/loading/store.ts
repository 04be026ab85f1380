import { openCacheStore } from './cache_store';
import { openOpfsStore } from './opfs_store';

/** Bytes `[start, end)` of a file. */
export interface Piece {
  /** SHA-256 of the whole file. */
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** Where pieces of files outlive the page. What it gives back is not to be trusted before its hash was checked. */
export interface Store {
  /** The pieces of all files, or of one. */
  list(file?: string): Promise<Piece[]>;
  /** Null when it is not there, or not whole. */
  get(piece: Piece): Promise<Uint8Array | null>;
  put(piece: Piece, bytes: Uint8Array): Promise<void>;
  /** Forget all pieces of a file. */
  remove(file: string): Promise<void>;
  /** Note that a file is used now. */
  touch(file: string): Promise<void>;
  /** When a file was last used, in milliseconds; 0 when that is not known. */
  lastUsed(file: string): Promise<number>;
}

let opened: Promise<Store | null> | undefined;

/** The best store that this browser lets us write to; null where there is none. */
export function openStore(): Promise<Store | null> {
  opened ??= openOpfsStore({ toWrite: true }).then((store) => store ?? openCacheStore());
  return opened;
}

/** Every store that may hold something: a page and its worker need not have chosen the same. */
export async function allStores(): Promise<Store[]> {
  const stores = await Promise.all([openOpfsStore({ toWrite: false }), openCacheStore()]);
  return stores.filter((store) => store !== null);
}

/** Name of a piece, which says how long it is. */
export function nameOf({ start, end }: Piece): string {
  return `${start}-${end}`;
}

/** The piece of a name; null for what is none. */
export function pieceOf(file: string, name: string): Piece | null {
  const [, start, end] = /^(\d+)-(\d+)$/.exec(name) ?? [];
  return start === undefined ? null : { file, start: Number(start), end: Number(end) };
}
