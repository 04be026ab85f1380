import { wantsThreads } from './isolation';

/** A first visit does not wait longer than this before it goes on without. */
const PATIENCE_MS = 3000;
const RELOADED = 'ganexport-reloaded';
/** A page is not loaded again by itself more often than this, whatever happens. */
const CALM_MS = 60_000;

/**
 * Let the site work without a network. Nothing of it needs this.
 *
 * @returns when whatever is loaded from now on is also kept, or that cannot be had; never fails
 */
export async function worksOffline(): Promise<void> {
  const container = navigator.serviceWorker as ServiceWorkerContainer | undefined;
  if (container === undefined) return;
  let touched = false;
  for (const type of ['pointerdown', 'keydown']) addEventListener(type, () => (touched = true), { once: true });
  const wasControlled = container.controller !== null;
  const controlled = new Promise<void>((resolve) => {
    if (wasControlled) resolve();
    container.addEventListener('controllerchange', () => {
      resolve();
      // A new version of the site is there. A page that nobody has touched yet can show it right away.
      if (wasControlled && !touched) reload();
    });
  });
  try {
    await container.register('sw.js', { updateViaCache: 'none' });
  } catch {
    return; // Forbidden here, or the site comes from a server for development.
  }
  await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  // The answer to this page's own request had no headers that isolate it: the next one has.
  if (container.controller !== null && wantsThreads(location.href) && !crossOriginIsolated && reload()) await never();
}

/** Load the page again, unless that was just done: returns whether. */
function reload(): boolean {
  try {
    const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
    if (Date.now() - last < CALM_MS) return false;
    sessionStorage.setItem(RELOADED, String(Date.now()));
  } catch {
    return false; // Without a memory we could not know when to stop.
  }
  location.reload();
  return true;
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
