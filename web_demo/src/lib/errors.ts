/** What went wrong, for programs; the message is for people. */
export type ErrorCode =
  | 'option' // an argument has no meaning for this generator
  | 'network' // the server could not be reached, or broke off
  | 'http' // the server answered, but not with the file
  | 'content' // what came is no file of this bundle: HTML, another length, another hash
  | 'insecure' // the page has no crypto.subtle
  | 'manifest' // `ganexport.json` is not one that this version reads
  | 'runtime' // the runtime could not start, or its result is no picture
  | 'broken'; // the runtime is gone: no memory, no device, no answer in time; another one may do

/** Every error that this library raises on purpose. */
export class GanExportError extends Error {
  override readonly name = 'GanExportError';

  constructor(
    readonly code: ErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** Text of anything that was thrown; some libraries throw plain objects. */
export function messageOf(error: unknown): string {
  const named = typeof error === 'object' && error !== null && 'message' in error;
  return String(named ? error.message : error);
}
