import { describe, expect, it } from 'vitest';

import { readSafetensors, type StoredTensor, writeSafetensors } from '../src/lib/safetensors';

const TENSORS: ReadonlyMap<string, StoredTensor> = new Map<string, StoredTensor>([
  ['bytes', { dtype: 'U8', shape: [3], data: Uint8Array.of(1, 2, 255) }], // what follows is not aligned
  ['floats', { dtype: 'F32', shape: [1, 2], data: Float32Array.of(0.1, -2) }],
  ['nothing', { dtype: 'F32', shape: [0, 4], data: new Float32Array() }],
]);

it('reads what it wrote, from any place in memory', () => {
  const bytes = writeSafetensors(TENSORS);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  expect(readSafetensors(bytes)).toEqual(TENSORS);
  expect(readSafetensors(shifted.subarray(1))).toEqual(TENSORS);
  expect(readSafetensors(Buffer.from(bytes))).toEqual(TENSORS);
});

it('has the format that the safetensors library writes', () => {
  const bytes = writeSafetensors(new Map([['a', { dtype: 'U8', shape: [2], data: Uint8Array.of(7, 8) }]]));
  const header = '{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}'.padEnd(56);
  expect(Buffer.from(bytes).toString('latin1')).toBe(`\x38\0\0\0\0\0\0\0${header}\x07\x08`);
});

describe('a broken file', () => {
  const good = writeSafetensors(TENSORS);

  it.each([
    ['empty', new Uint8Array(), /shorter than its header/],
    ['cut in the header', good.subarray(0, 20), /shorter than its header/],
    ['cut in the data', good.subarray(0, good.length - 1), /overlap, or it is cut short/],
    ['no JSON', textFile('{'), /header is no JSON object/],
    ['an odd entry', textFile('{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,0]}}'), /tensor a is described wrongly/],
    ['overlapping tensors', overlapping(), /its tensors overlap/],
    ['an endless tensor', textFile('{"a":{"dtype":"U8","shape":[9e15],"data_offsets":[0,9e15]}}'), /overlap, or it is cut short/],
    ['a length that overflows', textFile('{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}'), /is cut short/],
    ['an endless header', Buffer.from('ffffffffffffffff7b7d', 'hex'), /shorter than its header/],
    ['another type', textFile('{"a":{"dtype":"I8","shape":[0],"data_offsets":[0,0]}}'), /tensor a is I8; only F32 and U8/],
  ])('is refused: %s', (_, bytes, message) => {
    expect(() => readSafetensors(bytes)).toThrow(message);
  });
});

/** A small file that says of every tensor that it is all of it. */
function overlapping(): Uint8Array {
  const entry = { dtype: 'U8', shape: [1000], data_offsets: [0, 1000] };
  const header = JSON.stringify(Object.fromEntries(Array.from({ length: 9 }, (_, i) => [i, entry])));
  return Buffer.concat([textFile(header), Buffer.alloc(1000)]);
}

function textFile(header: string): Uint8Array {
  return Buffer.concat([Buffer.from(BigUint64Array.of(BigInt(header.length)).buffer), Buffer.from(header)]);
}
