/** Texts of a PNG by their keywords, such as `Title`. */
export type PngTexts = Readonly<Record<string, string>>;

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];
const HEADER_END = SIGNATURE.length + 25; // IHDR is the first chunk and has 13 bytes

/**
 * A PNG with texts in it, as `iTXt` chunks (UTF-8, not compressed) after its header.
 *
 * @param png a PNG file
 * @throws Error when it is none
 */
export function withTexts(png: Uint8Array, texts: PngTexts): Uint8Array<ArrayBuffer> {
  if (SIGNATURE.some((byte, i) => png[i] !== byte)) throw new Error('these bytes are no PNG');
  const chunks = Object.entries(texts).map(([keyword, text]) => chunk('iTXt', textData(keyword, text)));
  return concat([png.subarray(0, HEADER_END), ...chunks, png.subarray(HEADER_END)]);
}

/** keyword, 0, not compressed, 0, no language, 0, no translated keyword, 0, text. */
function textData(keyword: string, text: string): Uint8Array {
  const encoder = new TextEncoder();
  return concat([encoder.encode(keyword), new Uint8Array(5), encoder.encode(text)]);
}

/** length, type, data, CRC-32 of type and data. */
function chunk(type: string, data: Uint8Array): Uint8Array {
  const body = concat([new TextEncoder().encode(type), data]);
  return concat([uint32(data.length), body, uint32(crc32(body))]);
}

/** CRC-32 as PNG wants it (polynomial 0xEDB88320, reflected). */
export function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function uint32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value);
  return bytes;
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}
