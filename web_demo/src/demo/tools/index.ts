import type { Tool } from '../tool';
import { check } from './check';
import { grid } from './grid';

/** Every tool, in the order of the tabs. */
export const tools: readonly Tool[] = [grid, check];
