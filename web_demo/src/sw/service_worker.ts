/** Lets the site work without a network, once it was seen. The weights are kept by the library, not here. */
import { isData, newest } from './data';
import { isolated } from './isolation';
import type { Asset, FetchEvent, ServiceWorkerScope } from './scope';
import { Version } from './version';

/** Put in by the build. */
declare const __VERSION__: string;
declare const __ASSETS__: readonly Asset[];

const worker = self as unknown as ServiceWorkerScope;
const { scope } = worker.registration;
const version = new Version(scope, __VERSION__, __ASSETS__);

worker.addEventListener('install', (event) => {
  event.waitUntil(version.install().then(() => worker.skipWaiting()));
});

worker.addEventListener('activate', (event) => {
  event.waitUntil(version.forgetOthers().then(() => worker.clients.claim()));
});

worker.addEventListener('fetch', (event) => {
  const response = answer(event);
  if (response !== null) event.respondWith(response);
});

/** Null where the browser shall do what it does without us. */
function answer(event: FetchEvent): Promise<Response> | null {
  const { request } = event;
  if (request.method !== 'GET') return null;
  const path = version.pathOf(request.url);
  if (path !== null) {
    const keep = (task: Promise<unknown>) => event.waitUntil(task);
    return version.answer(path, keep).then((response) => isolated(response, request));
  }
  return isData(request, scope) ? newest(request, scope) : null;
}
