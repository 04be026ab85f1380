import { verifyBundle } from '../lib';
import { worksOffline } from '../sw/register';
import { explain } from './advice';
import { fetchModels } from './models';
import { Page } from './page';
import { Status } from './status';
import { tools } from './tools';

declare global {
  interface Window {
    /** For the console: draw a bundle's golden cases here and compare. */
    ganexportVerify: typeof verifyBundle;
  }
}

window.ganexportVerify = verifyBundle;
start(new Status());

async function start(status: Status): Promise<void> {
  try {
    await worksOffline();
    const page = new Page(await fetchModels(), tools, status);
    status.onRetry = () => page.redraw();
  } catch (error) {
    status.onRetry = () => void start(status);
    status.fail(explain(error));
  }
}
