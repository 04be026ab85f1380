const OPENER = 'Cross-Origin-Opener-Policy';
const EMBEDDER = 'Cross-Origin-Embedder-Policy';

/** Whether a page asks to be isolated from other origins, which browsers demand before they let it use threads. */
export function wantsThreads(address: string): boolean {
  return new URL(address).searchParams.has('threads');
}

/** Give an answer the headers that the host did not send: of a page that asks for it, and of workers, which must fit. */
export function isolated(response: Response, { mode, destination, url }: Request): Response {
  const isPage = mode === 'navigate' && wantsThreads(url);
  if (!isPage && destination !== 'worker') return response;
  const headers = new Headers(response.headers);
  if (isPage && !headers.has(OPENER)) headers.set(OPENER, 'same-origin');
  if (!headers.has(EMBEDDER)) headers.set(EMBEDDER, 'require-corp');
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}
