import { describe, expect, it } from 'vitest';

import { enlarge, enlargement } from '../src/demo/export/film';
import { indexed } from '../src/demo/export/palette';
import { sheetOf } from '../src/demo/export/strip';
import { type Chunk, webmOf } from '../src/demo/export/webm';

describe('pictures for players', () => {
  it('are enlarged by a whole number to at least 256 pixels', () => {
    expect([4, 32, 100, 256, 1024].map(enlargement)).toEqual([64, 8, 3, 1, 1]);
  });

  it('keep each colour, as a square', () => {
    const colours = Uint32Array.of(1, 2, 3, 4, 5, 6);
    const enlarged = enlarge(new Uint8ClampedArray(colours.buffer), 3, 2);
    const [first, second] = [[1, 1, 2, 2, 3, 3], [4, 4, 5, 5, 6, 6]];
    expect([...new Uint32Array(enlarged.buffer)]).toEqual([first, first, second, second].flat());
  });
});

describe('a palette', () => {
  it('of few colours keeps them', () => {
    const grey = Uint8ClampedArray.from({ length: 4 * 256 }, (_, i) => (i % 4 === 3 ? 255 : Math.floor(i / 4)));
    const { palette, index } = indexed(grey);
    expect(palette).toHaveLength(256);
    index.forEach((number, pixel) => expect(palette[number]).toEqual([pixel, pixel, pixel]));
  });

  it('of many colours comes near them', () => {
    const many = Uint8ClampedArray.from({ length: 4 * 4096 }, (_, i) => {
      const pixel = Math.floor(i / 4);
      return [(pixel >> 8) * 17, ((pixel >> 4) & 15) * 17, (pixel & 15) * 17, 255][i % 4]!;
    });
    const { palette, index } = indexed(many);
    expect(palette.length).toBeLessThanOrEqual(256);
    const errors = [...index].map((number, pixel) => Math.abs(palette[number]![0]! - many[4 * pixel]!));
    expect(errors.reduce((sum, error) => sum + error, 0) / errors.length).toBeLessThan(17);
  });
});

describe('a strip', () => {
  it.each([
    [60, 32, { columns: 60, rows: 1 }],
    [60, 512, { columns: 32, rows: 2 }],
    [16, 1024, { columns: 16, rows: 1 }],
  ])('of %i pictures of %i pixels', (count, side, sheet) => {
    expect(sheetOf(count, side, side)).toEqual(sheet);
  });

  it('has an end', () => {
    expect(() => sheetOf(120, 1024, 1024)).toThrow('120 pictures of 1024 × 1024 are too many for one PNG');
  });
});

describe('a WebM', () => {
  const chunks: Chunk[] = [0, 40, 80, 120].map((time, i) => ({ data: Uint8Array.of(i, 255), time, key: i % 2 === 0 }));
  const bytes = webmOf({ codec: 'V_VP8', width: 256, height: 320, duration: 160 }, chunks);

  it('begins with what says so', () => {
    expect([...bytes.subarray(0, 4)]).toEqual([0x1a, 0x45, 0xdf, 0xa3]);
    expect(new TextDecoder('latin1').decode(bytes)).toContain('webm');
  });

  it('holds the size, the duration, and each picture at its time', () => {
    const [, segment] = read(bytes);
    const [info, tracks, ...clusters] = read(segment!.data);
    const duration = find(info!.data, 0x4489);
    expect(new DataView(duration.buffer, duration.byteOffset).getFloat64(0)).toBe(160);
    const video = find(find(tracks!.data, 0xae), 0xe0);
    expect([...find(video, 0xb0)]).toEqual([1, 0]);
    expect([...find(video, 0xba)]).toEqual([1, 64]);
    const shown = clusters.map(({ data }) => {
      const [start, ...blocks] = read(data);
      return [start!.data[0], blocks.map((block) => [...block.data])];
    });
    expect(shown).toEqual([
      [0, [[0x81, 0, 0, 0x80, 0, 255], [0x81, 0, 40, 0, 1, 255]]],
      [80, [[0x81, 0, 0, 0x80, 2, 255], [0x81, 0, 40, 0, 3, 255]]],
    ]);
  });
});

interface Element {
  readonly id: number;
  readonly data: Uint8Array;
}

/** EBML elements, one after the other. */
function read(bytes: Uint8Array): Element[] {
  const elements: Element[] = [];
  for (let at = 0; at < bytes.length; ) {
    const idLength = Math.clz32(bytes[at]!) - 23;
    const id = [...bytes.subarray(at, at + idLength)].reduce((sum, byte) => sum * 256 + byte, 0);
    const length = [...bytes.subarray(at + idLength + 1, at + idLength + 8)].reduce((sum, byte) => sum * 256 + byte, 0);
    const start = at + idLength + 8;
    elements.push({ id, data: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return elements;
}

function find(bytes: Uint8Array, id: number): Uint8Array {
  return read(bytes).find((element) => element.id === id)!.data;
}
