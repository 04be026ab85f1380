import { nameOf, type Piece, pieceOf, type Store } from './store';

/** Only workers have it. */
interface WithSyncAccess extends FileSystemFileHandle {
  createSyncAccessHandle(): Promise<{
    write(bytes: Uint8Array, options: { at: number }): number;
    truncate(size: number): void;
    close(): void;
  }>;
}

const FOLDER = 'ganexport';
const USED = 'used';

/** The origin's private file system: one folder a file, one file a piece. Null where the browser has or allows none. */
export async function openOpfsStore({ toWrite }: { readonly toWrite: boolean }): Promise<Store | null> {
  try {
    const writers = ['createSyncAccessHandle', 'createWritable'];
    if (toWrite && !writers.some((name) => name in FileSystemFileHandle.prototype)) return null;
    const top = await navigator.storage.getDirectory();
    return new OpfsStore(await top.getDirectoryHandle(FOLDER, { create: true }));
  } catch {
    return null;
  }
}

class OpfsStore implements Store {
  constructor(readonly folder: FileSystemDirectoryHandle) {}

  async list(file?: string): Promise<Piece[]> {
    if (file === undefined) {
      const files = await namesIn(this.folder);
      return (await Promise.all(files.map((name) => this.list(name)))).flat();
    }
    const folder = await this.folder.getDirectoryHandle(file).catch(() => null);
    const names = folder === null ? [] : await namesIn(folder);
    return names.map((name) => pieceOf(file, name)).filter((piece) => piece !== null);
  }

  async get(piece: Piece): Promise<Uint8Array | null> {
    const file = await this.#read(piece.file, nameOf(piece));
    return file?.size === piece.end - piece.start ? new Uint8Array(await file.arrayBuffer()) : null;
  }

  put(piece: Piece, bytes: Uint8Array): Promise<void> {
    return this.#write(piece.file, nameOf(piece), bytes);
  }

  async remove(file: string): Promise<void> {
    await this.folder.removeEntry(file, { recursive: true }).catch(() => undefined);
  }

  touch(file: string): Promise<void> {
    return this.#write(file, USED, new Uint8Array());
  }

  async lastUsed(file: string): Promise<number> {
    return (await this.#read(file, USED))?.lastModified ?? 0;
  }

  async #read(file: string, name: string): Promise<File | null> {
    try {
      return await (await (await this.folder.getDirectoryHandle(file)).getFileHandle(name)).getFile();
    } catch {
      return null;
    }
  }

  async #write(file: string, name: string, bytes: Uint8Array): Promise<void> {
    const folder = await this.folder.getDirectoryHandle(file, { create: true });
    const handle = await folder.getFileHandle(name, { create: true });
    if (isSync(handle)) {
      const access = await handle.createSyncAccessHandle();
      try {
        access.truncate(0); // so that it also counts as changed where nothing is written
        const written = access.write(bytes, { at: 0 });
        if (written < bytes.length) throw new DOMException('the disk is full', 'QuotaExceededError');
      } finally {
        access.close();
      }
    } else {
      const stream = await handle.createWritable();
      await stream.write(bytes as Uint8Array<ArrayBuffer>);
      await stream.close();
    }
  }
}

function isSync(handle: FileSystemFileHandle): handle is WithSyncAccess {
  return 'createSyncAccessHandle' in handle;
}

async function namesIn(folder: FileSystemDirectoryHandle): Promise<string[]> {
  const names: string[] = [];
  for await (const name of folder.keys()) names.push(name);
  return names;
}
