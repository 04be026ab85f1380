import { GanExportError } from '../errors';

/** SHA-256 as lower-case hexadecimal digits. */
export async function sha256(bytes: Uint8Array): Promise<string> {
  // The buffer of a fetched file is never a SharedArrayBuffer, which is all that the type leaves open.
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** @throws GanExportError `insecure` where hashes cannot be had. */
export function requireSubtleCrypto(): void {
  if (globalThis.crypto?.subtle === undefined) {
    throw new GanExportError(
      'insecure',
      'files cannot be checked here: browsers offer crypto.subtle only on https:// and on localhost',
    );
  }
}
