import { describe, expect, it } from 'vitest';

import type { Direction } from '../src/lib/manifest';
import { readSum, writeSum } from '../src/demo/tools/arithmetic_state';
import { readAmounts, writeAmounts } from '../src/demo/tools/directions_state';
import { addedBy, enlargingTaps, inColours } from '../src/demo/tools/grow_adds';
import { readInside, writeInside } from '../src/demo/tools/inside_state';
import { readMix, withColumn, writeMix } from '../src/demo/tools/mix_state';
import { moved, placeOf, readMorph, writeMorph } from '../src/demo/tools/morph_state';
import { sizeUpTo } from '../src/demo/tools/parts/drawing';
import { Latest } from '../src/demo/tools/parts/latest';
import { readPicks, writePicks } from '../src/demo/tools/parts/picks';
import { modesOf, readSweep, writeSweep } from '../src/demo/tools/sweep_plans';
import { shrunk } from '../src/demo/tools/walk_film';
import { manifestOf } from './manifest_of';

describe('picks', () => {
  it('come back from their text', () => {
    const picks = [
      { seed: 5, label: 3 },
      { seed: 4294967295, label: null },
    ];
    expect(writePicks(picks)).toBe('5:3,4294967295');
    expect(readPicks(writePicks(picks))).toEqual(picks);
  });

  it.each(['', 'x', '-1', '1.5', '4294967296', '1:', '1:a'])('leave out %j', (text) => {
    expect(readPicks(`${text},7`)).toEqual([{ seed: 7, label: null }]);
  });
});

describe('the state of', () => {
  it.each(['1:3,2,3,4/5,6,7,8/1', '1,2,3,4/5,6,7,8/7'])('mix comes back from %s', (text) => {
    expect(writeMix(readMix(text, 8))).toBe(text);
  });

  it('mix stays within the layers', () => {
    expect(['', '//x', '//0', '//99'].map((text) => readMix(text, 8).boundary)).toEqual([3, 3, 1, 7]);
  });

  it('mix takes a column in front', () => {
    expect(withColumn('', { seed: 9, label: null })).toBe('9');
    expect(withColumn('1,2,3,4/5/2', { seed: 9, label: 1 })).toBe('9:1,1,2,3/5/2');
  });

  it.each(['1:3,5,9/24/loop', '1,2/2', '/24/loop'])('morph comes back from %s', (text) => {
    expect(writeMorph(readMorph(text))).toBe(text);
  });

  it('morph has its defaults, and bounds', () => {
    expect(readMorph('')).toEqual({ keyframes: [], frames: 24, loop: true });
    expect(readMorph('1/999').frames).toBe(48);
    expect(readMorph('1/-3').frames).toBe(2);
  });

  it.each(['1:3,2:4,5:3', '1,2,3/77:0,78'])('arithmetic comes back from %s', (text) => {
    expect(writeSum(readSum(text))).toBe(text);
  });

  it.each(['classes', 'styles', 'z/12/3'])('sweep comes back from %s', (text) => {
    const manifest = manifestOf({ c_dim: 10, z_dim: 64 });
    expect(writeSweep(readSweep(text, manifest))).toBe(text);
  });

  it('sweep is what the model has', () => {
    const plain = manifestOf({ c_dim: 0, z_dim: 8 });
    expect(modesOf(plain).map(({ id }) => id)).toEqual(['z']);
    expect(readSweep('classes', plain)).toEqual({ mode: 'z', first: 0, coordinate: 0, span: 1 });
    expect(readSweep('z/99/7', plain)).toMatchObject({ coordinate: 7, span: 1 });
    const many = manifestOf({ c_dim: 1000, z_dim: 8 });
    expect(readSweep('classes/990', many).first).toBe(960);
  });

  it('inside is what the bundle has', () => {
    const item = (layer: string | null) => ({ layer, text: '', picture: `${layer}.webp` });
    const items = [null, 'b4.conv1', 'b8.conv1', 'b16.conv1'].map(item);
    const pictures = [7, null].map((label) => ({ seed: 9, label, truncation_psi: 1, items }));
    const manifest = manifestOf({}, { inside: [...pictures, { ...pictures[0]!, items: [item('layer0')] }] });
    for (const text of ['9:7/b4.conv1', '9/b16.conv1']) expect(writeInside(readInside(text, manifest))).toBe(text);
    expect(readInside('9/b16.conv1', manifest)).toMatchObject({ at: 1, together: { layer: null } });
    for (const text of ['', '8/b4', 'x']) expect(writeInside(readInside(text, manifest))).toBe('9:7/b8.conv1');
    expect(readInside('', { inside: manifest.inside.slice(2) })).toMatchObject({ layer: { layer: 'layer0' }, together: null });
  });

  it('directions comes back, whatever their names', () => {
    const items = ['sefa-0', 'hair, long: yes'].map(direction);
    const amounts = new Map([
      ['sefa-0', 1.5],
      ['hair, long: yes', -2],
    ]);
    expect(readAmounts(writeAmounts(amounts), items)).toEqual(amounts);
    expect(writeAmounts(new Map([['sefa-0', 0]]))).toBe('');
    expect(readAmounts('sefa-0:9,other:1,sefa-1:x', items)).toEqual(new Map([['sefa-0', 3]]));
  });
});

describe('a morph', () => {
  it('has its keyframes in any order', () => {
    expect(moved(['a', 'b', 'c', 'd'], 0, 2)).toEqual(['b', 'c', 'a', 'd']);
    expect(moved(['a', 'b', 'c', 'd'], 3, 0)).toEqual(['d', 'a', 'b', 'c']);
  });

  it('knows where a picture stands', () => {
    const keyframes = [1, 2, 3].map((seed) => ({ seed, label: null }));
    const places = [0, 3, 4, 8, 11].map((frame) => placeOf(frame, { keyframes, frames: 4, loop: true }));
    expect(places).toEqual([
      { from: 0, to: 1, along: 0 },
      { from: 0, to: 1, along: 0.75 },
      { from: 1, to: 2, along: 0 },
      { from: 2, to: 0, along: 0 },
      { from: 2, to: 0, along: 0.75 },
    ]);
  });
});

describe('what is drawn on the way', () => {
  it.each([
    [1024, [64, 128, 256, 512], 64],
    [1024, [128, 256, 512], 128],
    [1024, [], undefined],
    [64, [4, 8, 16, 32], undefined],
  ])('of %i with %j is %j', (resolution, previews, size) => {
    expect(sizeUpTo(64, manifestOf({ resolution }, { previews }))).toBe(size);
  });

  it('is made small where it does not come small', () => {
    const data = Uint8ClampedArray.from([0, 2, 10, 20, 4, 6, 30, 40].flatMap((level) => [level, 255]));
    const pictures = { data, count: 1, width: 4, height: 2, channels: 2 };
    expect(shrunk(pictures, 0, 4)).toBeNull();
    expect(shrunk(pictures, 0, 2)).toEqual({
      data: Uint8ClampedArray.of(3, 255, 25, 255),
      count: 1,
      width: 2,
      height: 1,
      channels: 2,
    });
  });
});

describe('of what is asked for, the latest', () => {
  it('is done, one at a time, and what was in between is not', async () => {
    const done: string[] = [];
    const latest = new Latest(() => undefined);
    const work = (name: string) => async () => {
      done.push(`${name} begins`);
      await Promise.resolve();
      done.push(`${name} ends`);
    };
    for (const name of ['first', 'second', 'third']) latest.ask(work(name));
    await settled();
    expect(done).toEqual(['first begins', 'first ends', 'third begins', 'third ends']);
  });

  it('is done after one that failed', async () => {
    const errors: unknown[] = [];
    const latest = new Latest((error) => errors.push(error));
    let done = false;
    latest.ask(() => Promise.reject(new Error('no')));
    latest.ask(async () => void (done = true));
    await settled();
    expect([errors.length, done]).toEqual([1, true]);
  });

  it('can be dropped', async () => {
    const latest = new Latest(() => undefined);
    let done = 0;
    const work = async () => void done++;
    latest.ask(work);
    latest.ask(work);
    latest.drop();
    await settled();
    expect(done).toBe(1);
  });
});

function settled(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

function direction(name: string): Direction {
  const rest = { title: null, layers: [0, 8], range: [-3, 3], explained: null, preview: null } as const;
  return { name, method: 'sefa', space: 'w', ...rest };
}

describe('what each size adds', () => {
  const picture = (width: number, levels: readonly number[], channels = 1) => ({
    data: new Uint8ClampedArray(levels),
    count: 1,
    width,
    height: levels.length / width / channels,
    channels,
  });

  it('is the difference from the one before, enlarged', () => {
    const small = picture(2, [228, 128, 28, 128]); // 100.5, 0.5, -99.5, 0.5 around the middle
    const across = (a: number, b: number) => [0.75 * a, 0.75 * a + 0.25 * b, 0.25 * a + 0.75 * b, 0.75 * b];
    const rows = [across(100.5, 0.5), across(-99.5, 0.5)];
    const weights = [[0.75, 0], [0.75, 0.25], [0.25, 0.75], [0, 0.75]];
    const before = weights.flatMap(([a, b]) => rows[0]!.map((top, i) => a! * top + b! * rows[1]![i]!));
    const large = picture(4, before.map((_, i) => 100 + i));
    const [first, second] = addedBy([small, large], [1, 3, 3, 1]);
    expect([...first!]).toEqual([100.5, 0.5, -99.5, 0.5]);
    before.forEach((level, i) => expect(second![i]).toBeCloseTo(100 + i - 127.5 - level, 4));
  });

  it('has the filter the right way round, in every colour', () => {
    const small = picture(1, [227, 128, 28], 3);
    const [, added] = addedBy([small, picture(2, Array<number>(12).fill(127), 3)], [1, 2, 5, 0]);
    const axis = [2 / 4, 5 / 4]; // as NumpyOps().upsample2d has it for one pixel: 2·2/8, then 2·5/8
    const expected = [0, 1].flatMap((y) => [0, 1].flatMap((x) => [99.5, 0.5, -99.5].map((v) => -0.5 - v * axis[y]! * axis[x]!)));
    expected.forEach((level, i) => expect(added![i]).toBeCloseTo(level, 4));
  });

  it('is blue below zero and red above it, or around middle grey', () => {
    const grey = inColours(Float32Array.of(-50, 0, 50), picture(3, [0, 0, 0]), 50);
    expect([...grey.data]).toEqual([20, 80, 190, 246, 246, 246, 190, 40, 20]);
    expect([...inColours(Float32Array.of(-50, 0, 50), picture(1, [0, 0, 0], 3), 50).data]).toEqual([0, 128, 255]);
  });

  it('is known for one family', () => {
    expect(enlargingTaps(manifestOf({ resample_filter: [1, 3, 3, 1] }))).toEqual([1, 3, 3, 1]);
    expect(enlargingTaps(manifestOf({ resample_filter: [[1, 1], [1, 1]] }))).toBeNull();
    expect(enlargingTaps(manifestOf({ architecture: 'lucidrains', resample_filter: [1, 3, 3, 1] }))).toBeNull();
    expect(enlargingTaps(manifestOf())).toBeNull();
  });
});
