import { wholeNumber } from './parts/numbers';
import { type Pick, readPicks, writePicks } from './parts/picks';

/** So many pictures stand above the table, and so many beside it. */
export const EDGE = 4;

export interface Mix {
  /** Where the first layers come from; those that are left out follow the seed of the settings. */
  readonly columns: readonly Pick[];
  /** Where the other layers come from. */
  readonly rows: readonly Pick[];
  /** The first layer that comes from the rows. */
  readonly boundary: number;
}

/** Read `1:3,2/5,6/4`. */
export function readMix(text: string, layers: number): Mix {
  const [columns = '', rows = '', boundary = ''] = text.split('/');
  return {
    columns: readPicks(columns).slice(0, EDGE),
    rows: readPicks(rows).slice(0, EDGE),
    boundary: wholeNumber(boundary, 1, layers - 1, Math.ceil(layers / 3)),
  };
}

export function writeMix({ columns, rows, boundary }: Mix): string {
  return [writePicks(columns), writePicks(rows), boundary].join('/');
}

/** The text of a table with one more column, before the others; as many of them stay as there is room for. */
export function withColumn(text: string, pick: Pick): string {
  const [columns = '', ...rest] = text.split('/');
  return [writePicks([pick, ...readPicks(columns)].slice(0, EDGE)), ...rest].join('/');
}
