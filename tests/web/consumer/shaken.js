import { RandomState } from 'ganexport';

document.title = String(new RandomState(1).randn(1)[0]);
