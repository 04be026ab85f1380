/** What the page and its worker say to each other. Every request has a number, which its replies bear. */
import type {
  DrawOptions,
  Encoded,
  Fallback,
  GenerateOptions,
  LatentOptions,
  Latents,
  LoadedDirection,
  OpenOptions,
  Progress,
} from '../api';
import { type ErrorCode, GanExportError, messageOf } from '../errors';
import type { Picture } from '../fit';
import type { Manifest } from '../manifest';
import type { Pictures } from '../pixels';
import type { RuntimeName } from '../runtimes/registry';

/** Options without what cannot be sent. */
export type Sent<Options> = Omit<Options, 'signal' | 'onPreview'>;

/** A call of a method of `Generator`. */
export type Call =
  | { readonly method: 'latents'; readonly options: Sent<LatentOptions> }
  | { readonly method: 'draw'; readonly latents: Latents; readonly options: Sent<DrawOptions>; readonly previews: boolean }
  | { readonly method: 'grow'; readonly latents: Latents; readonly options: Sent<DrawOptions> }
  | { readonly method: 'generate'; readonly options: Sent<GenerateOptions>; readonly previews: boolean }
  | { readonly method: 'encode'; readonly pictures: readonly Picture[] }
  | { readonly method: 'directions' | 'tensorCount' | 'dispose' };

/** What a call gives. */
export interface Results {
  readonly latents: Latents;
  readonly draw: Pictures;
  readonly grow: Pictures[];
  readonly generate: Pictures;
  readonly encode: Encoded;
  readonly directions: readonly LoadedDirection[];
  readonly tensorCount: number | null;
  readonly dispose: void;
}

/** The runtime of a generator and its version. */
export interface RuntimeState {
  readonly runtime: RuntimeName;
  readonly runtimeVersion: string;
}

/** What the worker says of a bundle that it has opened; the generator goes by the number of the request. */
export interface Opened extends RuntimeState {
  readonly manifest: Manifest;
}

/** What is to be done. */
export type Task =
  | { readonly do: 'open'; readonly url: string; readonly options: Pick<OpenOptions, 'runtime' | 'fallback'> }
  | { readonly do: 'call'; readonly generator: number; readonly call: Call };

/** From the page. An abort bears the number of what is not wanted any more. */
export type Request = { readonly id: number } & (Task | { readonly do: 'abort' });

/** Told on the way. */
export type News =
  | { readonly kind: 'progress'; readonly progress: Progress }
  /** The state is null while the bundle is opened: what comes of it will be said then. */
  | { readonly kind: 'fallback'; readonly fallback: Fallback; readonly state: RuntimeState | null }
  | { readonly kind: 'preview'; readonly pictures: Pictures; readonly first: number };

/** The end of a request. */
export type Answer =
  | { readonly kind: 'done'; readonly value: unknown }
  | { readonly kind: 'failed'; readonly error: SentError };

/** From the worker; `ready` comes first, and bears no number. */
export type Reply = { readonly kind: 'ready' } | ({ readonly id: number } & (News | Answer));

/** An error as it is sent: a class of one's own does not survive a message. */
export interface SentError {
  readonly name: string;
  readonly message: string;
  readonly code: ErrorCode | null;
}

/** An error, ready to be sent. */
export function sendError(error: unknown): SentError {
  const name = error instanceof Error || error instanceof DOMException ? error.name : 'Error';
  return { name, message: messageOf(error), code: error instanceof GanExportError ? error.code : null };
}

/** The error that was sent. */
export function receiveError({ name, message, code }: SentError): Error {
  if (code !== null) return new GanExportError(code, message);
  if (name === 'AbortError' || name === 'TimeoutError') return new DOMException(message, name);
  return Object.assign(new Error(message), { name });
}

/** Options, ready to be sent: plain lists, as those of some frameworks are proxies, which cannot be. */
export function sendOptions<Options extends Partial<GenerateOptions>>(options: Options): Sent<Options> {
  const { signal: _, onPreview: __, ...rest } = options;
  const { seeds, label, inputs } = rest;
  return {
    ...rest,
    ...(seeds && { seeds: [...seeds] }),
    ...(typeof label === 'object' && { label: [...label] }),
    ...(inputs && { inputs: Object.fromEntries(Object.entries(inputs).map(([name, values]) => [name, [...values]])) }),
  };
}

/** Latents, ready to be sent. */
export function sendLatents({ space, tensor, labels, seeds }: Latents): Latents {
  const { shape, data } = tensor;
  return { space, tensor: { shape: [...shape], data }, labels: labels && [...labels], seeds: [...seeds] };
}
