import { type ErrorCode, GanExportError, messageOf } from '../lib/errors';

/** What a visitor can do, by what went wrong. */
const ADVICE: Readonly<Record<ErrorCode, string>> = {
  option: 'Go back to the defaults, or choose another setting.',
  network: 'Look at your connection, then try again.',
  http: 'The site may be incomplete. Try again, or tell its owner.',
  content: 'The site may be damaged. Try again, or tell its owner.',
  insecure: 'Open this page by https.',
  manifest: 'The model was made for another version of this page. Tell its owner.',
  broken: 'Close other tabs or choose another runtime, then try again.',
  runtime: 'Choose another runtime in the settings, or try again.',
};

/** What went wrong, and what to do where that is known. */
export function explain(error: unknown): string {
  const message = messageOf(error).replace(/\.$/, '');
  return error instanceof GanExportError ? `${message}. ${ADVICE[error.code]}` : message;
}
