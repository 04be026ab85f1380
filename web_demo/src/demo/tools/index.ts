import type { Tool } from '../tool';
import { arithmetic } from './arithmetic';
import { check } from './check';
import { directions } from './directions';
import { grid } from './grid';
import { grow } from './grow';
import { inside } from './inside';
import { mix } from './mix';
import { morph } from './morph';
import { picture } from './picture';
import { sweep } from './sweep';

/** Every tool, in the order of the tabs. */
export const tools: readonly Tool[] = [grid, mix, morph, directions, arithmetic, sweep, picture, grow, inside, check];
