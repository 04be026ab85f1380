import { GanExportError, messageOf } from '../errors';

/** What browsers and runtimes say when there is no memory left, or no device. */
const GONE = [
  /out of memory|\bOOM\b|bad_alloc|memory size exceeded|backend memory/i,
  /(fail|unable|cannot|can't|could not).{0,40}(alloc|grow|create (buffer|texture|WebGLTexture))/i,
  /allocation (of .{0,20} )?failed/i,
  /(device|context).{0,20}(lost|destroyed|hung|removed)|CONTEXT_LOST/i,
  /Aborted\(/, // Emscripten's own end
];

/** What they say when the device, or the runtime, has not what the graphs need. */
const UNFIT = [
  /greater than WebGL maximum|exceeds.{0,60}(limit|maximum)|larger than.{0,60}(limit|maximum)/i,
  /not registered for (the )?backend/i,
  /failed to (compile|link)|invalid shader/i,
];

/** Whether an error means that the runtime is gone, so that another one should be tried. */
export function isBroken(error: unknown): boolean {
  return error instanceof GanExportError && error.code === 'broken';
}

/**
 * Whether what a runtime threw means that nothing runs on it any more (`gone`), that this bundle does not
 * (`unfit`), or neither.
 */
export function whatIsBroken(error: unknown): 'gone' | 'unfit' | null {
  if (error instanceof RangeError || error instanceof WebAssembly.RuntimeError) return 'gone';
  if (typeof error === 'number') return 'gone'; // the address of a C++ exception that nobody caught
  const says = (patterns: readonly RegExp[]) => patterns.some((pattern) => pattern.test(messageOf(error)));
  if (says(GONE)) return 'gone';
  return says(UNFIT) ? 'unfit' : null;
}
