/** An encoded picture of a video. */
export interface Chunk {
  readonly data: Uint8Array;
  /** When it is shown, in milliseconds. */
  readonly time: number;
  /** Whether it can be shown without those before it. */
  readonly key: boolean;
}

export interface Track {
  readonly codec: 'V_VP8' | 'V_VP9';
  readonly width: number;
  readonly height: number;
  /** In milliseconds. */
  readonly duration: number;
}

/** Element identifiers. Source: RFC 8794 (EBML) and RFC 9559 (Matroska). */
const ID = {
  ebml: 0x1a45dfa3,
  ebmlVersion: 0x4286,
  ebmlReadVersion: 0x42f7,
  ebmlMaxIdLength: 0x42f2,
  ebmlMaxSizeLength: 0x42f3,
  docType: 0x4282,
  docTypeVersion: 0x4287,
  docTypeReadVersion: 0x4285,
  segment: 0x18538067,
  info: 0x1549a966,
  timestampScale: 0x2ad7b1,
  duration: 0x4489,
  muxingApp: 0x4d80,
  writingApp: 0x5741,
  tracks: 0x1654ae6b,
  trackEntry: 0xae,
  trackNumber: 0xd7,
  trackUid: 0x73c5,
  flagLacing: 0x9c,
  trackType: 0x83,
  codecId: 0x86,
  video: 0xe0,
  pixelWidth: 0xb0,
  pixelHeight: 0xba,
  cluster: 0x1f43b675,
  timestamp: 0xe7,
  simpleBlock: 0xa3,
} as const;

const APP = 'ganexport';
const NANOSECONDS = 1_000_000; // a millisecond, the unit of all times in the file

/** Bytes of a WebM file with one track of video. Each picture that stands by itself begins a cluster. */
export function webmOf(track: Track, chunks: readonly Chunk[]): Uint8Array<ArrayBuffer> {
  const head = element(ID.ebml, [
    unsigned(ID.ebmlVersion, 1),
    unsigned(ID.ebmlReadVersion, 1),
    unsigned(ID.ebmlMaxIdLength, 4),
    unsigned(ID.ebmlMaxSizeLength, 8),
    text(ID.docType, 'webm'),
    unsigned(ID.docTypeVersion, 2),
    unsigned(ID.docTypeReadVersion, 2),
  ]);
  const info = element(ID.info, [
    unsigned(ID.timestampScale, NANOSECONDS),
    float(ID.duration, track.duration),
    text(ID.muxingApp, APP),
    text(ID.writingApp, APP),
  ]);
  return join([head, element(ID.segment, [info, tracksOf(track), ...clustersOf(chunks)])]);
}

function tracksOf({ codec, width, height }: Track): Uint8Array {
  const video = element(ID.video, [unsigned(ID.pixelWidth, width), unsigned(ID.pixelHeight, height)]);
  const entry = element(ID.trackEntry, [
    unsigned(ID.trackNumber, 1),
    unsigned(ID.trackUid, 1),
    unsigned(ID.flagLacing, 0),
    unsigned(ID.trackType, 1),
    text(ID.codecId, codec),
    video,
  ]);
  return element(ID.tracks, [entry]);
}

/** A block says its time from its cluster's start, in 16 bits: with a cluster a key picture they stay small. */
function clustersOf(chunks: readonly Chunk[]): Uint8Array[] {
  const groups: Chunk[][] = [];
  for (const chunk of chunks) {
    if (chunk.key || groups.length === 0) groups.push([chunk]);
    else groups.at(-1)!.push(chunk);
  }
  return groups.map((group) => {
    const start = group[0]!.time;
    return element(ID.cluster, [unsigned(ID.timestamp, start), ...group.map((chunk) => blockOf(chunk, start))]);
  });
}

function blockOf({ data, time, key }: Chunk, start: number): Uint8Array {
  const head = new Uint8Array(4);
  head[0] = 0x81; // track 1
  new DataView(head.buffer).setInt16(1, time - start);
  head[3] = key ? 0x80 : 0;
  return element(ID.simpleBlock, [head, data]);
}

function element(id: number, parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return join([bytesOf(id), sizeOf(length), ...parts]);
}

function unsigned(id: number, value: number): Uint8Array {
  return element(id, [bytesOf(value)]);
}

function text(id: number, value: string): Uint8Array {
  return element(id, [new TextEncoder().encode(value)]);
}

function float(id: number, value: number): Uint8Array {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setFloat64(0, value);
  return element(id, [data]);
}

/** A whole number in as few bytes as it needs, the greatest first. */
function bytesOf(value: number): Uint8Array {
  const bytes: number[] = [];
  for (let rest = value; rest > 0 || bytes.length === 0; rest = Math.floor(rest / 256)) bytes.unshift(rest % 256);
  return Uint8Array.from(bytes);
}

/** A length: eight bytes, of which the first says so. */
function sizeOf(length: number): Uint8Array {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigUint64(0, BigInt(length));
  data[0] = 0x01;
  return data;
}

function join(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    joined.set(part, position);
    position += part.length;
  }
  return joined;
}
