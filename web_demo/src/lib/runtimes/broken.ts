import { GanExportError, messageOf } from '../errors';

/** What browsers and runtimes say when there is no memory left. */
const OUT_OF_MEMORY = [
  /out of memory/i,
  /\bOOM\b/,
  /bad_alloc/,
  /(fail|unable|cannot|could not|not enough memory).{0,20} (to )?(allocate|grow)/i,
  /allocation failed/i,
  /Invalid (typed )?array (buffer )?length/i,
  /WebAssembly\.Memory/,
  /no available backend memory/i,
];

/** Whether an error means that the runtime is gone, so that another one should be tried. */
export function isBroken(error: unknown): boolean {
  return error instanceof GanExportError && error.code === 'broken';
}

/** Whether an error of a runtime says that there was not enough memory. */
export function isOutOfMemory(error: unknown): boolean {
  return OUT_OF_MEMORY.some((pattern) => pattern.test(messageOf(error)));
}
