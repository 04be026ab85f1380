/** A server that takes longer than this is answered for, where we can. */
const PATIENCE_MS = 5000;

/** What tells which models there are, and what they look like. It may change without a new version of the page. */
export function isData({ url, destination }: Request, scope: string): boolean {
  if (!url.startsWith(scope)) return false;
  const path = new URL(url).pathname;
  return path.endsWith('/models.json') || path.endsWith('/ganexport.json') || destination === 'image';
}

/** What the server says now, else what it said last. */
export async function newest(request: Request, scope: string): Promise<Response> {
  const cache = await caches.open(`ganexport ${scope} data`);
  const kept = cache.match(request);
  const fetched = fetchAndKeep(request, cache);
  const first = await Promise.race([fetched.catch(() => null), after(PATIENCE_MS)]);
  if (first !== null && first.status < 500) return first;
  return (await kept) ?? fetched;
}

async function fetchAndKeep(request: Request, cache: Cache): Promise<Response> {
  const response = await fetch(request);
  const isPage = response.headers.get('content-type')?.startsWith('text/html');
  if (response.ok && !isPage) await cache.put(request, response.clone()).catch(() => undefined);
  return response;
}

function after(milliseconds: number): Promise<null> {
  return new Promise((resolve) => setTimeout(() => resolve(null), milliseconds));
}
