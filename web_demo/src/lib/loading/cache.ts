import { allStores, type Store } from './store';

/** What is kept on a device at most, of all sites of this origin; what was not used for longest goes first. */
export const CACHE_BUDGET_BYTES = 1 << 30;

/** Bytes of weights that are kept on this device. */
export async function cacheSize(): Promise<number> {
  const sizes = (await allStores()).map(async (store) => sum((await sizesIn(store)).values()));
  return sum(await Promise.all(sizes));
}

/** Forget all weights that are kept on this device; what was loaded goes on working. */
export async function clearCache(): Promise<void> {
  const clear = async (store: Store) => {
    for (const file of (await sizesIn(store)).keys()) await store.remove(file);
  };
  await Promise.all((await allStores()).map(clear));
}

/**
 * Note that a file was used, and forget others until all are within the budget. Never fails: it can be done next time.
 *
 * @param options.grown whether the file is new
 */
export async function makeRoom(
  store: Store,
  file: string,
  { grown, budget = CACHE_BUDGET_BYTES }: { readonly grown: boolean; readonly budget?: number },
): Promise<void> {
  try {
    await store.touch(file);
    if (grown) await evict(store, file, budget);
  } catch {
    // Another tab forgets the same files, or there is no room left to note anything.
  }
}

async function evict(store: Store, keep: string, budget: number): Promise<void> {
  const sizes = await sizesIn(store);
  let total = sum(sizes.values());
  if (total <= budget) return;
  const others = [...sizes].filter(([file]) => file !== keep);
  const dated = await Promise.all(others.map(async ([file, bytes]) => ({ file, bytes, used: await store.lastUsed(file) })));
  for (const { file, bytes } of dated.sort((a, b) => a.used - b.used)) {
    if (total <= budget) return;
    await store.remove(file);
    total -= bytes;
  }
}

async function sizesIn(store: Store): Promise<Map<string, number>> {
  const sizes = new Map<string, number>();
  for (const { file, start, end } of await store.list()) sizes.set(file, (sizes.get(file) ?? 0) + end - start);
  return sizes;
}

function sum(numbers: Iterable<number>): number {
  return [...numbers].reduce((total, number) => total + number, 0);
}
