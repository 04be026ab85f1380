/**
 * Do a task when no other tab or worker of this origin does one of the same name; at once where there are no locks.
 *
 * @throws what the task throws; an abort while waiting throws the signal's reason.
 */
export async function withLock<T>(name: string, task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
  const locks = globalThis.navigator?.locks;
  if (locks === undefined) return task();
  return locks.request(`ganexport ${name}`, signal ? { signal } : {}, task);
}
