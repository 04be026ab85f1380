import { GanExportError } from '../errors';
import type { Store } from './store';

/** A reload loses no more than came since the last piece: so much, or in so much time. */
const PIECE_BYTES = 1 << 20;
const PIECE_MS = 1000;

/** A file that comes in: each byte is counted once, however often it is fetched, and kept for later loads. */
export class Incoming {
  readonly bytes: Uint8Array;
  #position = 0;
  #saved = 0;
  #savedAt = performance.now();
  #counted = 0;
  #store: Store | null;

  /**
   * @param file its SHA-256
   * @param length its length
   * @param store where to keep it
   * @param onBytes called with the number of bytes that are new
   * @throws GanExportError `content` when so many bytes cannot be held
   */
  constructor(
    readonly file: string,
    readonly length: number,
    store: Store | null,
    readonly onBytes: (count: number) => void = () => undefined,
  ) {
    this.bytes = allocate(length);
    this.#store = store;
  }

  /** Bytes that are here, from the first on. */
  get position(): number {
    return this.#position;
  }

  /** The most bytes that were ever here. */
  get furthest(): number {
    return this.#counted;
  }

  /** Take what an earlier load has kept. */
  async resume(): Promise<void> {
    const pieces = (await this.#try((store) => store.list(this.file))) ?? [];
    // Where two loads have kept pieces side by side, the longer one.
    const byStart = new Map(pieces.sort((a, b) => a.end - b.end).map((piece) => [piece.start, piece]));
    for (let piece = byStart.get(0); piece; piece = byStart.get(this.#position)) {
      const next = piece;
      const bytes = next.end <= this.length && (await this.#try((store) => store.get(next)));
      if (!bytes || bytes.length === 0) break;
      this.#append(bytes);
    }
    this.#saved = this.#position;
  }

  /** Take the next bytes. */
  async add(bytes: Uint8Array): Promise<void> {
    this.#append(bytes);
    const isDue = performance.now() - this.#savedAt >= PIECE_MS || this.#position - this.#saved >= PIECE_BYTES;
    if (isDue) await this.save();
  }

  /** Keep all that is here. */
  async save(): Promise<void> {
    const [start, end] = [this.#saved, this.#position];
    if (start === end) return;
    this.#saved = end;
    this.#savedAt = performance.now();
    await this.#try(async (store) => {
      await store.put({ file: this.file, start, end }, this.bytes.subarray(start, end));
      await store.touch(this.file); // other files that come in at the same time shall not push it out
    });
  }

  /** Begin again, and keep nothing of what was here. */
  async restart(): Promise<void> {
    this.#position = 0;
    this.#saved = 0;
    await this.#try((store) => store.remove(this.file));
  }

  #append(bytes: Uint8Array): void {
    this.bytes.set(bytes, this.#position);
    this.#position += bytes.length;
    if (this.#position > this.#counted) {
      const count = this.#position - this.#counted;
      this.#counted = this.#position;
      this.onBytes(count);
    }
  }

  /** Use the store; when that fails, for want of room perhaps, go on without it. */
  async #try<T>(task: (store: Store) => Promise<T>): Promise<T | null> {
    const store = this.#store;
    if (store === null) return null;
    try {
      return await task(store);
    } catch {
      this.#store = null;
      await store.remove(this.file).catch(() => undefined);
      return null;
    }
  }
}

function allocate(length: number): Uint8Array {
  try {
    return new Uint8Array(length);
  } catch (error) {
    throw new GanExportError('content', `a file of ${length} bytes is more than this device can hold`, { cause: error });
  }
}
