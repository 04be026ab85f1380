import { type Pick, readPicks, writePicks } from './parts/picks';

/** The wells, in the order of the sum: a − b + c. */
export const WELLS = ['a', 'b', 'c'] as const;

/** Pictures in the wells, and those that the visitor brought along. */
export interface Sum {
  /** By position in `WELLS`; those that are left out are the first of the tray. */
  readonly wells: readonly Pick[];
  readonly brought: readonly Pick[];
}

export const MOST_BROUGHT = 8;

/** Read `1:3,2:4,5:3/77:0`: the wells, then what was brought along. */
export function readSum(text: string): Sum {
  const [wells = '', brought = ''] = text.split('/');
  return { wells: readPicks(wells).slice(0, WELLS.length), brought: readPicks(brought).slice(0, MOST_BROUGHT) };
}

export function writeSum({ wells, brought }: Sum): string {
  return [writePicks(wells), ...(brought.length > 0 ? [writePicks(brought)] : [])].join('/');
}
