/** The part of the Cache API that we use, in memory. */
export class FakeCaches {
  readonly entries = new Map<string, Uint8Array<ArrayBuffer>>();
  /** Whether there is no room for more. */
  full = false;

  async open(): Promise<Pick<Cache, 'match' | 'put' | 'delete' | 'keys'>> {
    return {
      match: async (url) => {
        const bytes = this.entries.get(addressOf(url));
        return bytes && new Response(bytes);
      },
      put: async (url, response) => {
        if (this.full) throw new DOMException('no room', 'QuotaExceededError');
        this.entries.set(addressOf(url), new Uint8Array(await response.arrayBuffer()));
      },
      delete: async (url) => this.entries.delete(addressOf(url)),
      keys: async () => [...this.entries.keys()].map((url) => new Request(url)),
    };
  }
}

function addressOf(url: RequestInfo | URL): string {
  return url instanceof Request ? url.url : String(url);
}
