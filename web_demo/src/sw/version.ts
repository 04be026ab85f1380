import { sha256 } from '../lib/loading/hash';
import type { Asset } from './scope';

const PAGE = 'index.html';

/**
 * The page and the library of one version of the site, kept together, so that there is never a mixture of two.
 *
 * The version before is kept as well, for tabs that still show it.
 */
export class Version {
  readonly #byPath: ReadonlyMap<string, Asset>;

  /**
   * @param scope address of the site's folder
   * @param name of the version
   * @param assets all files of the version
   */
  constructor(
    readonly scope: string,
    readonly name: string,
    assets: readonly Asset[],
  ) {
    this.#byPath = new Map(assets.map((asset) => [asset.path, asset]));
  }

  /** Path within the version of an address; null for what belongs to no version. */
  pathOf(address: string): string | null {
    const { origin, pathname } = new URL(address);
    const url = origin + pathname;
    if (!url.startsWith(this.scope)) return null;
    const path = url.slice(this.scope.length) || PAGE;
    return this.#byPath.has(path) || /^(lib|page)\//.test(path) ? path : null;
  }

  /**
   * Fetch what the page needs to show itself, and what was used of the version before.
   *
   * @throws when a file is not the one of this version: the host is about to change to another one.
   */
  async install(): Promise<void> {
    const used = new Set<string>();
    for (const cache of await this.#others()) {
      for (const { url } of await cache.keys()) used.add(stemOf(url.slice(this.scope.length)));
    }
    const wanted = [...this.#byPath.values()].filter(({ path, shell }) => shell || used.has(stemOf(path)));
    const cache = await this.#open();
    await Promise.all(wanted.map((asset) => this.#take(cache, asset)));
  }

  /**
   * The file of this version, else of the one before; fetched and kept when there is none.
   *
   * @param keep is given what goes on after the answer
   */
  async answer(path: string, keep: (task: Promise<unknown>) => void): Promise<Response> {
    const url = this.scope + path;
    const caches = [await this.#open(), ...(this.#byPath.has(path) ? [] : await this.#others())];
    for (const cache of caches) {
      const kept = await cache.match(url);
      if (kept) return kept;
    }
    const fetched = await fetch(url);
    const response = fetched.redirected ? await plain(fetched) : fetched;
    // Names of such files hold a hash of what is in them, so there is no doubt which version they are of.
    if (response.ok && this.#byPath.has(path)) keep(caches[0]!.put(url, response.clone()).catch(() => undefined));
    return response;
  }

  /** Forget all versions but this one and the one before. */
  async forgetOthers(): Promise<void> {
    const others = await this.#otherNames();
    await Promise.all(others.slice(0, -1).map((name) => caches.delete(name)));
  }

  async #take(cache: Cache, asset: Asset): Promise<void> {
    const url = this.scope + asset.path;
    if (await cache.match(url)) return;
    for (const other of await this.#others()) {
      const kept = await other.match(url);
      if (kept && (await isOf(asset, kept.clone()))) return cache.put(url, kept);
    }
    // What has a hash in its name does not change; the page has just fetched most of it.
    const response = await fetch(url, { cache: stemOf(asset.path) === asset.path ? 'no-cache' : 'default' });
    if (!response.ok) throw new Error(`${url}: the server answered ${response.status}`);
    const isRight = asset.path === PAGE ? await this.#isPage(response.clone()) : await isOf(asset, response.clone());
    if (!isRight) throw new Error(`${url} is not of version ${this.name}`);
    await cache.put(url, await plain(response));
  }

  /** Whether all that the page starts with is of this version. Some hosts add to a page, so its hash may differ. */
  async #isPage(response: Response): Promise<boolean> {
    const started = (await response.text()).match(/\bpage\/[\w.-]+/g) ?? [];
    return started.length > 0 && started.every((path) => this.#byPath.has(path));
  }

  #open(): Promise<Cache> {
    return caches.open(this.#prefix() + this.name);
  }

  async #others(): Promise<Cache[]> {
    return Promise.all((await this.#otherNames()).reverse().map((name) => caches.open(name)));
  }

  /** The oldest first. */
  async #otherNames(): Promise<string[]> {
    const names = await caches.keys();
    return names.filter((name) => name.startsWith(this.#prefix()) && name !== this.#prefix() + this.name);
  }

  #prefix(): string {
    return `ganexport ${this.scope} version `;
  }
}

async function isOf({ sha256: expected }: Asset, response: Response): Promise<boolean> {
  return (await sha256(new Uint8Array(await response.arrayBuffer()))) === expected;
}

/** The response as if it had come directly: one that was redirected must not answer a navigation. */
async function plain(response: Response): Promise<Response> {
  const headers = new Headers(response.headers);
  headers.delete('content-encoding');
  headers.delete('content-length');
  return new Response(await response.blob(), { headers });
}

/** Path without the hash in it: what a file is called in every version. */
function stemOf(path: string): string {
  return path.replace(/-[\w-]{8}(?=\.\w+$)/, '');
}
