import { GanExportError } from './errors';

/** A tensor of a `.safetensors` file, in the two types that bundles use. */
export type StoredTensor =
  | { readonly dtype: 'F32'; readonly shape: readonly number[]; readonly data: Float32Array }
  | { readonly dtype: 'U8'; readonly shape: readonly number[]; readonly data: Uint8Array };

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const LENGTH_BYTES = 8;

/**
 * Read every tensor of a `.safetensors` file.
 *
 * @throws GanExportError `content` when the bytes are no such file, or hold a type other than F32 and U8.
 */
export function readSafetensors(bytes: Uint8Array): Map<string, StoredTensor> {
  const header = readHeader(bytes);
  const tensors = new Map<string, StoredTensor>();
  let room = bytes.length - header.dataStart;
  for (const [name, value] of Object.entries(header.entries)) {
    if (name === '__metadata__') continue;
    if (!isEntry(value)) throw broken(`tensor ${name} is described wrongly`);
    const [begin, end] = value.data_offsets;
    room -= Math.max(0, end - begin);
    if (room < 0) throw broken('its tensors overlap, or it is cut short'); // copies of many would fill the memory
    // A copy, hence aligned. Not `slice`: Node's Buffer, which is a Uint8Array, has its own that does not copy.
    const stored = new Uint8Array(bytes.subarray(header.dataStart + begin, header.dataStart + end));
    tensors.set(name, toTensor(name, value, stored));
  }
  return tensors;
}

/** Bytes of a `.safetensors` file with these float32 or uint8 tensors. */
export function writeSafetensors(tensors: ReadonlyMap<string, StoredTensor>): Uint8Array {
  const entries: Record<string, Entry> = {};
  let offset = 0;
  for (const [name, { dtype, shape, data }] of tensors) {
    entries[name] = { dtype, shape, data_offsets: [offset, offset + data.byteLength] };
    offset += data.byteLength;
  }
  const text = JSON.stringify(entries);
  const encoded = new TextEncoder().encode(text);
  const header = new Uint8Array(Math.ceil(encoded.length / 8) * 8).fill(0x20); // padded with spaces
  header.set(encoded);

  const bytes = new Uint8Array(LENGTH_BYTES + header.length + offset);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(header.length), true);
  bytes.set(header, LENGTH_BYTES);
  let position = LENGTH_BYTES + header.length;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

function readHeader(bytes: Uint8Array): { entries: object; dataStart: number } {
  if (bytes.length < LENGTH_BYTES) throw broken('it is shorter than its header');
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset, LENGTH_BYTES).getBigUint64(0, true));
  const dataStart = LENGTH_BYTES + length;
  if (dataStart > bytes.length) throw broken('it is shorter than its header');
  try {
    const entries: unknown = JSON.parse(new TextDecoder().decode(bytes.subarray(LENGTH_BYTES, dataStart)));
    if (typeof entries === 'object' && entries !== null) return { entries, dataStart };
  } catch {
    // said below
  }
  throw broken('its header is no JSON object');
}

function toTensor(name: string, { dtype, shape }: Entry, stored: Uint8Array): StoredTensor {
  const count = shape.reduce((product, size) => product * size, 1);
  const itemBytes = dtype === 'F32' ? 4 : 1;
  if (stored.length !== count * itemBytes) throw broken(`tensor ${name} is cut short`);
  switch (dtype) {
    case 'F32':
      return { dtype, shape, data: new Float32Array(stored.buffer) };
    case 'U8':
      return { dtype, shape, data: stored };
    default:
      throw broken(`tensor ${name} is ${dtype}; only F32 and U8 are read`);
  }
}

function isEntry(value: unknown): value is Entry {
  if (typeof value !== 'object' || value === null) return false;
  const { dtype, shape, data_offsets: offsets } = value as Partial<Record<keyof Entry, unknown>>;
  return typeof dtype === 'string' && isSizes(shape) && isSizes(offsets) && offsets.length === 2;
}

function isSizes(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isInteger(item) && item >= 0);
}

function broken(reason: string): GanExportError {
  return new GanExportError('content', `not a .safetensors file that can be read: ${reason}`);
}
