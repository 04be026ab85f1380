import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export type Answer = (response: ServerResponse, headers: IncomingHttpHeaders) => void;

/** A real server: each request takes the next of `answers`, and the last one stays. */
export interface FileServer {
  readonly url: URL;
  /** The `Range` of each request; undefined without one. */
  readonly ranges: (string | undefined)[];
  answers: Answer[];
  close(): Promise<void>;
}

export async function startServer(): Promise<FileServer> {
  const ranges: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    ranges.push(request.headers.range);
    const answer = running.answers.length > 1 ? running.answers.shift()! : running.answers[0]!;
    answer(response, request.headers);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const running: FileServer = {
    url: new URL(`http://127.0.0.1:${port}/weights.bin`),
    ranges,
    answers: [],
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return running;
}

/** The whole file, with its length unless other headers are given. */
export const whole =
  (bytes: Uint8Array, headers: Record<string, string | number> = { 'content-length': bytes.length }): Answer =>
  (response) => {
    response.writeHead(200, headers).end(bytes);
  };

/** The part that is asked for; with `count`, the connection is gone after so many bytes. */
export const parts =
  (bytes: Uint8Array, count?: number): Answer =>
  (response, { range }) => {
    const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
    const found = { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(range ? 206 : 200, { 'content-length': bytes.length - start, ...(range ? found : {}) });
    if (count === undefined) response.end(bytes.subarray(start));
    else response.write(bytes.subarray(start, start + count), () => setImmediate(() => response.destroy()));
  };

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) => {
    response.writeHead(code, headers).end();
  };
