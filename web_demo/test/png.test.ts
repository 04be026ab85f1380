import { deflateSync } from 'node:zlib';

import { expect, it } from 'vitest';

import { crc32, withTexts } from '../src/demo/png';

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** One black pixel, written by hand. */
const PNG = Uint8Array.from([
  ...SIGNATURE,
  ...chunk('IHDR', [0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0]),
  ...chunk('IDAT', [...deflateSync(Uint8Array.from([0, 0]))]),
  ...chunk('IEND', []),
]);

function chunk(type: string, data: number[]): number[] {
  const body = [...new TextEncoder().encode(type), ...data];
  return [...uint32(data.length), ...body, ...uint32(crc32(Uint8Array.from(body)))];
}

function uint32(value: number): number[] {
  return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
}

/** Type, data and checksum of each chunk, read without the code under test. */
function chunksOf(png: Uint8Array): { type: string; data: Uint8Array; crc: number }[] {
  const view = new DataView(png.buffer);
  const found = [];
  for (let at = SIGNATURE.length; at < png.length; ) {
    const length = view.getUint32(at);
    const type = new TextDecoder().decode(png.subarray(at + 4, at + 8));
    found.push({ type, data: png.slice(at + 8, at + 8 + length), crc: view.getUint32(at + 8 + length) });
    at += 12 + length;
  }
  return found;
}

it('has the checksum that the PNG specification gives for an empty end chunk', () => {
  expect(crc32(new TextEncoder().encode('IEND'))).toBe(0xae426082);
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
});

it('puts texts after the header and leaves the rest as it was', () => {
  const texts = { Title: 'Größe 3', ganexport: '{"seed":7}' };
  const chunks = chunksOf(withTexts(PNG, texts));
  expect(chunks.map(({ type }) => type)).toEqual(['IHDR', 'iTXt', 'iTXt', 'IDAT', 'IEND']);
  expect(chunks.filter(({ type }) => type !== 'iTXt')).toEqual(chunksOf(PNG));
  const read = chunks.slice(1, 3).map(({ data }) => new TextDecoder().decode(data).split('\0'));
  expect(read).toEqual(Object.entries(texts).map(([keyword, text]) => [keyword, '', '', '', '', text]));
  for (const { type, data, crc } of chunks) {
    expect(crc32(Uint8Array.from([...new TextEncoder().encode(type), ...data]))).toBe(crc);
  }
});

it('refuses what is no PNG', () => {
  expect(() => withTexts(new TextEncoder().encode('GIF89a'), {})).toThrow('no PNG');
});
