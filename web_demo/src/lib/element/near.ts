/** How far from the window an element already counts as near. */
const MARGIN = '50%';

const waiting = new WeakMap<Element, () => void>();
let observer: IntersectionObserver | null = null;

/** Call back once when an element comes near the window; the result takes that back. One observer serves all. */
export function whenNear(element: Element, then: () => void): () => void {
  observer ??= new IntersectionObserver(onChange, { rootMargin: MARGIN });
  waiting.set(element, then);
  observer.observe(element);
  return () => forget(element);
}

function onChange(entries: readonly IntersectionObserverEntry[]): void {
  for (const { target } of entries.filter((entry) => entry.isIntersecting)) {
    const then = waiting.get(target);
    forget(target);
    then?.();
  }
}

function forget(element: Element): void {
  waiting.delete(element);
  observer?.unobserve(element);
}
