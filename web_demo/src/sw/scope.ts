/** What is used of a service worker's global scope; the types of pages and of workers cannot be had in one program. */
export interface ServiceWorkerScope {
  readonly registration: { readonly scope: string };
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: 'install' | 'activate', listener: (event: LifeEvent) => void): void;
  addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}

export interface LifeEvent {
  waitUntil(task: Promise<unknown>): void;
}

export interface FetchEvent extends LifeEvent {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}

/** A file of the page or the library, as the build has written it. */
export interface Asset {
  readonly path: string;
  readonly sha256: string;
  /** Whether the page needs it to show itself; others are kept when they are first used. */
  readonly shell: boolean;
}
