/** What a promise gives, or the reason of a signal as soon as that is aborted; the promise goes on all the same. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort);
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}

/**
 * Let in what waits for this thread, such as the message of an abort; runtimes may compute from promise to promise.
 *
 * @throws the signal's reason when it is aborted
 */
export async function pause(signal: AbortSignal | undefined): Promise<void> {
  const { port1, port2 } = new MessageChannel(); // unlike a timer, not slowed down
  await new Promise<void>((resolve) => {
    port1.onmessage = () => resolve();
    port2.postMessage(null);
  });
  port1.close();
  signal?.throwIfAborted();
}
