import { GanExportError, messageOf } from '../errors';
import type { Tensors } from '../tensor';
import { whatIsBroken } from './broken';
import type { CreateBare, BareRuntime, Files, NamedGraphs, Runtime } from './runtime';

/** How long a step may take, in milliseconds. */
export interface TimeLimits {
  /** Fetching the runtime's own WebAssembly, compiling it, finding a device. */
  readonly start: number;
  /** Making the bundle's graphs, of so many bytes, ready to run. */
  readonly load: (bytes: number) => number;
}

const LIMITS: TimeLimits = {
  start: 180_000, // up to 7 MB come over the network
  load: (bytes) => 60_000 + bytes / 1000, // a slow device reads a megabyte in a second
};

/**
 * Start a bare runtime behind a guard, which gives its calls time-outs, ends them when the device is lost, and tells errors
 * of one run from those after which nothing runs any more.
 *
 * @throws GanExportError `runtime` when it cannot start here, `broken` when it does not answer.
 */
export async function startGuarded(name: string, create: CreateBare, limits: TimeLimits = LIMITS): Promise<Runtime> {
  const runtime = new GuardedRuntime(name, create, limits);
  await runtime.start();
  return runtime;
}

class GuardedRuntime implements Runtime {
  readonly #name: string;
  readonly #bare: BareRuntime;
  readonly #limits: TimeLimits;
  #broken: GanExportError | null = null;
  /** Ends the call in progress. */
  #fail: ((error: GanExportError) => void) | null = null;
  #disposed = false;
  /** Whether the engine has been given back, after which it may lose its device as it likes. */
  #over = false;

  constructor(name: string, create: CreateBare, limits: TimeLimits) {
    this.#name = name;
    this.#limits = limits;
    this.#bare = create((reason) => this.#break(`lost its device: ${reason}`));
  }

  get target(): Runtime['target'] {
    return this.#bare.target;
  }

  get layout(): Runtime['layout'] {
    return this.#bare.layout;
  }

  get version(): string {
    return this.#bare.version;
  }

  async start(): Promise<void> {
    try {
      await this.#call('start', () => this.#bare.start(), this.#limits.start);
    } catch (error) {
      await this.dispose();
      throw error;
    }
  }

  load(graphs: NamedGraphs, files: Files): Promise<void> {
    const bytes = [...files.values()].reduce((sum, { byteLength }) => sum + byteLength, 0);
    return this.#call('load the graphs', () => this.#bare.load(graphs, files), this.#limits.load(bytes));
  }

  run(graph: string, inputs: Tensors, outputs: readonly string[]): Promise<Tensors> {
    return this.#call(`run ${graph}`, () => this.#bare.run(graph, inputs, outputs)); // as long as the device needs
  }

  tensorCount(): number | null {
    return this.#bare.tensorCount();
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await this.#bare.queue.add(async () => {
      if (this.#broken !== null) return;
      this.#over = true;
      await this.#bare.dispose();
    });
  }

  #call<T>(what: string, task: () => Promise<T>, limit?: number): Promise<T> {
    return this.#bare.queue.add(async () => {
      if (this.#broken !== null) throw this.#broken;
      if (this.#disposed) throw new GanExportError('runtime', `${this.#name} was disposed of`);
      const seconds = Math.round((limit ?? 0) / 1000);
      const late = () => this.#break(`did not ${what} within ${seconds} s`);
      const timer = limit === undefined ? undefined : setTimeout(late, limit);
      try {
        return await this.#untilBroken(task());
      } catch (error) {
        throw await this.#explain(what, error);
      } finally {
        clearTimeout(timer);
      }
    });
  }

  /** Not Promise.race with one promise for all calls: that would keep the result of each for as long as it lives. */
  async #untilBroken<T>(answer: Promise<T>): Promise<T> {
    try {
      return await new Promise<T>((resolve, reject) => {
        this.#fail = reject;
        answer.then(resolve, reject);
        const giveBack = () => (this.#broken === null ? undefined : this.#bare.abandon());
        answer.then(giveBack, giveBack); // what came too late
      });
    } finally {
      this.#fail = null;
    }
  }

  async #explain(what: string, error: unknown): Promise<GanExportError> {
    if (this.#broken !== null) return this.#broken;
    if (error instanceof GanExportError) return error;
    const message = `could not ${what}: ${messageOf(error)}`;
    const broken = whatIsBroken(error);
    if (broken === 'gone') return this.#break(message, error);
    if (broken === null) return new GanExportError('runtime', `${this.#name} ${message}`, { cause: error });
    this.#broken = new GanExportError('broken', `${this.#name} ${message}`, { cause: error });
    await this.#bare.dispose(); // others may use what it runs on
    return this.#broken;
  }

  #break(reason: string, cause?: unknown): GanExportError {
    if (this.#broken !== null) return this.#broken;
    this.#broken = new GanExportError('broken', `${this.#name} ${reason}`, { cause });
    this.#fail?.(this.#broken);
    if (!this.#over) this.#bare.abandon();
    return this.#broken;
  }
}
