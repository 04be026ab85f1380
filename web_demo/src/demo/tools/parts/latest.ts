/** Runs one piece of work at a time; of what is asked for meanwhile only the latest is done. */
export class Latest {
  #next: (() => Promise<void>) | null = null;
  #running = false;
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  ask(work: () => Promise<void>): void {
    this.#next = work;
    if (!this.#running) void this.#run();
  }

  /** Forget what has not begun. */
  drop(): void {
    this.#next = null;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#next !== null) {
      const work = this.#next;
      this.#next = null;
      await work().catch(this.#onError);
    }
    this.#running = false;
  }
}
