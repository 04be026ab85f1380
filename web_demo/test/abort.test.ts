import { expect, it } from 'vitest';

import { orAborted, pause } from '../src/lib/abort';

it('waits no longer than until an abort, before or after it began', async () => {
  const never = new Promise<never>(() => undefined);
  const abort = new AbortController();
  const waiting = orAborted(never, abort.signal);
  abort.abort('enough');
  await expect(waiting).rejects.toBe('enough');
  await expect(orAborted(never, abort.signal)).rejects.toBe('enough');
  await expect(orAborted(Promise.resolve(1), new AbortController().signal)).resolves.toBe(1);
  await expect(orAborted(Promise.reject(new Error('no')), new AbortController().signal)).rejects.toThrow('no');
});

it('lets other tasks in, not only promises', async () => {
  const { port1, port2 } = new MessageChannel();
  const abort = new AbortController();
  port1.onmessage = () => abort.abort('heard');
  port2.postMessage('stop');
  for (let i = 0; i < 100; i++) await Promise.resolve();
  expect(abort.signal.aborted).toBe(false);
  const pauses = (async () => {
    for (;;) await pause(abort.signal);
  })();
  await expect(pauses).rejects.toBe('heard');
  port1.close();
});
