import type { Direction, Manifest } from '../../lib/manifest';

/** How far to go along each direction, by name. */
export type Amounts = ReadonlyMap<string, number>;

/** The directions of the space that this model draws from, those that have a title first. */
export function directionsOf({ directions, spec }: Manifest): Direction[] {
  const space = spec.num_ws > 0 ? 'w' : 'z';
  const items = (directions?.items ?? []).filter((item) => item.space === space);
  return [...items.filter(({ title }) => title !== null), ...items.filter(({ title }) => title === null)];
}

/** Read `sefa-0:1.5,class-7:-2`; what the model has not is left out, and what is out of range is brought into it. */
export function readAmounts(text: string, directions: readonly Direction[]): Amounts {
  const found = text.split(',').flatMap((item): [string, number][] => {
    const [name = '', amount = ''] = item.split(':');
    const direction = directions.find((one) => escape(one.name) === name);
    if (direction === undefined || amount === '' || !Number.isFinite(Number(amount))) return [];
    const [low, high] = direction.range;
    return [[direction.name, Math.min(Math.max(low, Number(amount)), high)]];
  });
  return new Map(found);
}

export function writeAmounts(amounts: Amounts): string {
  const moved = [...amounts].filter(([, amount]) => amount !== 0);
  return moved.map(([name, amount]) => `${escape(name)}:${amount}`).join(',');
}

/** Names keep clear of the marks between them. */
function escape(name: string): string {
  return encodeURIComponent(name);
}
