import type { Tool } from '../tool';
import { grid } from './grid';

/** Every tool, in the order of the tabs. */
export const tools: readonly Tool[] = [grid];
