import { describe, expect, it } from 'vitest';

import { placed } from '../src/demo/tools/parts/placed';
import { strengthOf } from '../src/demo/tools/picture';
import { classesOf, readingOf } from '../src/demo/tools/picture_style';

describe('a drawing', () => {
  it('is brought to the size of a digit, its mass in the middle', () => {
    // A bar of 2 × 10 pixels, in a corner, that is twice as heavy in its upper half.
    const data = new Uint8Array(40 * 30);
    for (let y = 15; y < 25; y++) for (const x of [3, 4]) data[y * 40 + x] = y < 20 ? 200 : 100;
    const cut = placed({ data, width: 40, height: 30 })!;
    expect([cut.width, cut.height]).toEqual([16, 16]); // 10 is to be 20 of 32
    const ink = [...cut.data].flatMap((level, at) => (level > 0 ? [{ level, x: at % 16, y: Math.floor(at / 16) }] : []));
    expect(ink).toHaveLength(20);
    const mass = ink.reduce((sum, { level }) => sum + level, 0);
    const middle = (of: 'x' | 'y') => ink.reduce((sum, one) => sum + one.level * (one[of] + 0.5), 0) / mass;
    expect(Math.abs(middle('x') - 8)).toBeLessThanOrEqual(0.5);
    expect(Math.abs(middle('y') - 8)).toBeLessThanOrEqual(0.5);
  });

  it('lies inside, also where all its mass is at one end', () => {
    const data = new Uint8Array(20 * 20);
    for (let y = 0; y < 20; y++) data[y * 20 + 10] = y < 18 ? 33 : 255;
    const cut = placed({ data, width: 20, height: 20 })!;
    expect([...cut.data].filter((level) => level > 0)).toHaveLength(20);
  });

  it('is none where there is no ink', () => {
    expect(placed({ data: new Uint8Array(16).fill(31), width: 4, height: 4 })).toBeNull();
  });
});

describe('what was read', () => {
  const name = (label: number) => ['one', 'two', 'three', 'four'][label]!;

  it.each([
    [[0.9995, 0.0005, 0, 0], 'one, over 99 %'],
    [[0, 1, 0, 0], 'two, 100 %'],
    [[0.06, 0.01, 0.03, 0.9], 'four, 90 %; one, 6 %'],
    [[0.25, 0.24, 0.26, 0.25], 'three, 26 %; one, 25 %; four, 25 %'],
  ])('of %j is %s', (chances, words) => {
    expect(readingOf(chances, name)).toBe(words);
  });

  it('is drawn in all classes, or in the likeliest of very many', () => {
    expect(classesOf([0.1, 0.7, 0.2])).toEqual([0, 1, 2]);
    const many = Array.from({ length: 100 }, (_, label) => (label % 2 === 0 ? 0 : 0.02 + label * 1e-6));
    expect(classesOf(many)).toEqual(Array.from({ length: 40 }, (_, i) => 21 + 2 * i)); // the last 40 that are odd
  });
});

it.each([
  ['', 1],
  ['0.5', 0.5],
  ['0', 0],
  ['9', 1],
  ['-1', 1],
  ['x', 1],
])('the strength in %j is %d', (text, strength) => {
  expect(strengthOf(text)).toBe(strength);
});
