import { describe, expect, it } from 'vitest';

import type { Latents } from '../src/lib/api';
import {
  arithmetic,
  classSweep,
  concatLatents,
  lerp,
  mixStyles,
  moveAlong,
  pickRows,
  slerp,
  sweepCoordinate,
  walk,
  zLatents,
} from '../src/lib/toolbox';
import { manifestOf } from './manifest_of';
import { bitsOf, fromBits, toolboxVectors } from './vectors';

type Moves = readonly (readonly [readonly number[], number | readonly number[], [number, number] | null])[];

const calls: Record<string, (given: readonly unknown[]) => Latents> = {
  lerp: ([a, b, t]) => lerp(named(a), named(b), t as number | number[]),
  slerp: ([a, b, t]) => slerp(named(a), named(b), t as number | number[]),
  walk: ([keyframes, frames, loop]) => walk(named(keyframes), { frames: frames as number, loop: loop as boolean }),
  mixStyles: ([base, donor, layers]) => mixStyles(named(base), named(donor), layers as [number, number]),
  sweepCoordinate: ([a, index, values]) => sweepCoordinate(named(a), index as number, values as number[]),
  moveAlong: ([a, moves]) => moveAlong(named(a), (moves as Moves).map(([bits, ...rest]) => move(fromBits(bits), ...rest))),
  arithmetic: ([a, b, c]) => arithmetic(named(a), named(b), named(c)),
};

describe("gives the bits of Python's", () => {
  it.each(toolboxVectors.cases.map((vector, i) => ({ ...vector, i })))('$call, case $i', (vector) => {
    const { tensor, seeds, labels } = calls[vector.call]!(vector.given);
    expect(tensor.shape).toEqual(vector.shape);
    expect(bitsOf(tensor.data)).toEqual(vector.bits);
    expect([seeds.length, labels?.length]).toEqual([vector.shape[0], vector.shape[0]]);
  });

  it('classSweep', () => {
    const [seeds, label] = toolboxVectors.class_sweep;
    expect(classSweep([8, 5], 3)).toEqual({ seeds, label });
  });
});

describe('a blend', () => {
  const [a, b] = [rows([[1, 0], [3, 4]]), { ...rows([[0, 2], [3, 4]]), seeds: [20, 21], labels: [5, 6] }];

  it('ends exactly at its ends', () => {
    for (const blend of [lerp, slerp]) {
      expect(blend(a, b, 0)).toEqual(a);
      expect(blend(a, b, 1)).toEqual(b);
    }
  });

  it('has class and seed of the nearer end', () => {
    const { labels, seeds } = lerp(a, b, [0.49, 0.5]);
    expect({ labels, seeds }).toEqual({ labels: [0, 6], seeds: [0, 21] });
    expect(lerp(a, { ...b, labels: null }, 0).labels).toBeNull();
  });

  it('goes on the arc, lengths between lengths', () => {
    const half = Math.SQRT1_2;
    const [x, y] = slerp(pickRows(a, [0]), pickRows(b, [0]), 0.5).tensor.data;
    expect([x, y]).toEqual([Math.fround(half), Math.fround(2 * half)]);
  });

  it('has a straight line where there is no arc', () => {
    const opposite = rows([[-2, 0]]);
    expect([...slerp(rows([[2, 0]]), opposite, 0.25).tensor.data]).toEqual([1, 0]);
    expect([...slerp(rows([[0, 0]]), opposite, 0.25).tensor.data]).toEqual([-0.5, 0]);
  });
});

describe('a walk', () => {
  const keyframes = rows([[1, 0], [0, 1], [-1, 0]]);

  it('passes every keyframe', () => {
    const open = walk(keyframes, { frames: 4 });
    expect(pickRows(open, [0, 4, 8])).toEqual(keyframes);
    expect(open.seeds).toEqual([0, 0, 1, 1, 1, 1, 2, 2, 2]);
    const loop = walk(keyframes, { frames: 2, loop: true });
    expect(pickRows(loop, [0, 2, 4])).toEqual(keyframes);
    expect(loop.tensor.shape).toEqual([6, 2]);
  });

  it('is the keyframe alone when there is one', () => {
    expect(walk(pickRows(keyframes, [1]), { frames: 7 })).toEqual(pickRows(keyframes, [1]));
  });

  it.each([0, 1.5, NaN])('refuses %s frames', (frames) => {
    expect(() => walk(keyframes, { frames })).toThrow(`frames must be a whole number from 1, found ${frames}`);
  });

  it('refuses no keyframes', () => {
    expect(() => walk(pickRows(keyframes, []), { frames: 2 })).toThrow('at least one keyframe');
  });
});

describe('rows', () => {
  it('are picked and joined', () => {
    const all = concatLatents(rows([[1, 2]]), { ...rows([[3, 4]]), labels: [7], seeds: [9] });
    expect(all).toEqual({ ...rows([[1, 2], [3, 4]]), labels: [0, 7], seeds: [0, 9] });
    expect(pickRows(all, [1, 1]).seeds).toEqual([9, 9]);
    expect(concatLatents(all, { ...all, labels: null }).labels).toBeNull();
    expect(() => pickRows(all, [2])).toThrow('rows of 2 latents go from 0 to 1, found 2');
    expect(() => concatLatents()).toThrow('found none');
  });

  it('must go together', () => {
    const [two, three] = [rows([[1], [2]]), rows([[1], [2], [3]])];
    expect(() => lerp(two, three, 0)).toThrow('2 and 3 rows do not go together');
    expect(() => lerp(two, two, [0, 0, 0])).toThrow('2 and 3 rows do not go together');
    expect(() => arithmetic(two, two, rows([[1, 2]]))).toThrow('latents z [1] and z [2] do not go together');
    expect(() => lerp(two, two, NaN)).toThrow('t must be a finite number, found NaN');
  });

  it('come from seeds', () => {
    const { spec } = manifestOf({ z_dim: 2 });
    const { space, tensor, labels } = zLatents([3, 4], spec, [1, 0]);
    expect({ space, shape: tensor.shape, labels }).toEqual({ space: 'z', shape: [2, 2], labels: [1, 0] });
    expect(() => zLatents([3], spec, [])).toThrow('1 seeds need as many labels, found 0');
  });
});

describe('an edit', () => {
  const ws = named('ws');

  it('leaves what it was given alone', () => {
    const before = [...ws.tensor.data];
    mixStyles(ws, named('one'), [0, 4]);
    sweepCoordinate(ws, 0, [5]);
    moveAlong(ws, [move(new Float32Array(5).fill(1), 2, null)]);
    expect([...ws.tensor.data]).toEqual(before);
  });

  it.each([[0, 5], [2, 2], [-1, 2], [0.5, 2]] as const)('refuses layers %s up to %s', (first, last) => {
    expect(() => mixStyles(ws, ws, [first, last])).toThrow(`layers go from 0 up to 4, the first below the last; found ${first}`);
  });

  it('says what does not fit', () => {
    const z = named('z');
    expect(() => mixStyles(z, z, [0, 1])).toThrow('only latents in w have layers');
    expect(() => sweepCoordinate(z, 7, [0])).toThrow('coordinates go from 0 to 6, found 7');
    expect(() => sweepCoordinate(z, 0, [Infinity])).toThrow('a coordinate must be a finite number, found Infinity');
    expect(() => moveAlong(z, [move(new Float32Array(5), 1, null)])).toThrow('way moves w of length 5; these latents are z');
    expect(() => moveAlong(ws, [move(new Float32Array(5), NaN, null)])).toThrow('an amount must be a finite number');
    expect(() => moveAlong(ws, [move(new Float32Array(5), 1, [3, 9])])).toThrow('layers go from 0 up to 4');
  });
});

function move(vector: Float32Array, amount: number | readonly number[], layers: [number, number] | null) {
  return { direction: { name: 'way', space: 'w' as const, layers, vector }, amount };
}

function named(name: unknown): Latents {
  const { shape, bits } = toolboxVectors.latents[name as string]!;
  const index = Array.from({ length: shape[0]! }, (_, i) => i);
  return { space: shape.length === 3 ? 'w' : 'z', tensor: { shape, data: fromBits(bits) }, labels: index, seeds: index };
}

function rows(values: readonly (readonly number[])[]): Latents {
  const index = values.map((_, i) => i);
  const tensor = { shape: [values.length, values[0]!.length], data: Float32Array.from(values.flat()) };
  return { space: 'z', tensor, labels: index, seeds: index };
}
