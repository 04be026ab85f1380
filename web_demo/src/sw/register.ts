import { wantsThreads } from './isolation';

/** A first visit does not wait longer than this before it goes on without. */
const PATIENCE_MS = 3000;
/** A page shows a new version by itself no more often than this, whatever the host does. */
const CALM_MS = 60_000;

let ready: Promise<void> | undefined;

/**
 * Let the site work without a network. Nothing of it needs this.
 *
 * @returns when whatever is loaded from now on is also kept, or that cannot be had; never fails
 */
export function worksOffline(): Promise<void> {
  ready ??= start(findContainer());
  return ready;
}

/** Plain http has none, and a frame in a sandbox must not even ask for it. */
function findContainer(): ServiceWorkerContainer | undefined {
  try {
    return navigator.serviceWorker as ServiceWorkerContainer | undefined;
  } catch {
    return undefined;
  }
}

async function start(container?: ServiceWorkerContainer): Promise<void> {
  if (container === undefined) return;
  let touched = false;
  for (const type of ['pointerdown', 'keydown']) addEventListener(type, () => (touched = true), { once: true });
  const wasControlled = container.controller !== null;
  const controlled = new Promise<void>((resolve) => {
    if (wasControlled) resolve();
    container.addEventListener('controllerchange', () => {
      resolve();
      // A new version of the site is there. A page that nobody has touched yet can show it right away.
      if (wasControlled && !touched) reload('version', CALM_MS);
    });
  });
  try {
    await container.register('sw.js', { updateViaCache: 'none' });
  } catch {
    return; // Forbidden here, or the site comes from a server for development.
  }
  await Promise.race([controlled, new Promise((resolve) => setTimeout(resolve, PATIENCE_MS))]);
  // The answer to this page's own request had no headers that isolate it: the next one has. Where even that does not
  // help, as in a frame of a page that is not isolated, it is not tried again.
  const missesThreads = container.controller !== null && wantsThreads(location.href) && !crossOriginIsolated;
  if (missesThreads && reload('threads', Infinity)) await never();
}

/**
 * Load the page again, unless that was done for this reason within the last `calm` milliseconds of this tab's session.
 *
 * @returns whether it is being loaded
 */
function reload(reason: string, calm: number): boolean {
  const key = `ganexport-reloaded-for-${reason}`;
  try {
    const last = sessionStorage.getItem(key);
    if (last !== null && Date.now() - Number(last) < calm) return false;
    sessionStorage.setItem(key, String(Date.now()));
  } catch {
    return false; // Without a memory we could not know when to stop.
  }
  location.reload();
  return true;
}

function never(): Promise<never> {
  return new Promise(() => undefined);
}
