import { nameOf, type Piece, pieceOf, type Store } from './store';

const CACHE = 'ganexport-files';
const USED = 'used';

/** The Cache API, with an address of our own for each piece. Null where the browser has or allows none. */
export async function openCacheStore(): Promise<Store | null> {
  try {
    return new CacheStore(await caches.open(CACHE));
  } catch {
    return null;
  }
}

class CacheStore implements Store {
  constructor(readonly cache: Cache) {}

  async list(file?: string): Promise<Piece[]> {
    const addresses = (await this.cache.keys()).map(({ url }) => url.split('/').slice(-2) as [string, string]);
    const pieces = addresses.map(([of, name]) => pieceOf(of, name)).filter((piece) => piece !== null);
    return file === undefined ? pieces : pieces.filter((piece) => piece.file === file);
  }

  async get(piece: Piece): Promise<Uint8Array | null> {
    const found = await this.cache.match(addressOf(piece.file, nameOf(piece)));
    const bytes = found && new Uint8Array(await found.arrayBuffer());
    return bytes?.length === piece.end - piece.start ? bytes : null;
  }

  put(piece: Piece, bytes: Uint8Array): Promise<void> {
    return this.cache.put(addressOf(piece.file, nameOf(piece)), new Response(bytes as Uint8Array<ArrayBuffer>));
  }

  async remove(file: string): Promise<void> {
    const requests = (await this.cache.keys()).filter(({ url }) => url.split('/').at(-2) === file);
    await Promise.all(requests.map((request) => this.cache.delete(request)));
  }

  touch(file: string): Promise<void> {
    return this.cache.put(addressOf(file, USED), new Response(String(Date.now())));
  }

  async lastUsed(file: string): Promise<number> {
    return Number(await (await this.cache.match(addressOf(file, USED)))?.text()) || 0;
  }
}

/** Nothing is ever fetched from it. */
function addressOf(file: string, name: string): string {
  return `${location.origin}/.ganexport/${file}/${name}`;
}
