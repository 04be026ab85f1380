/** The script of the worker, in which all bundles of a page are drawn. */
import type { Reply } from './protocol';
import { serve } from './server';

serve(self);

const ready: Reply = { kind: 'ready' };
const isReady = () => self.postMessage(ready);

// The lock is held for as long as this worker lives: the page learns from it when the browser has ended it.
const holding = navigator.locks?.request(self.name, () => {
  isReady();
  return new Promise<never>(() => undefined);
});
if (holding) holding.catch(isReady);
else isReady();
