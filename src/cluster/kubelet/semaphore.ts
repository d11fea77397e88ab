/** So many at once; the others wait in line. */
export class Semaphore {
  #free: number;
  #line: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  /** Resolves with a slot; disposing of it gives it to the next. Rejects when `signal` aborts before its turn. */
  async acquire(signal?: AbortSignal): Promise<Disposable> {
    signal?.throwIfAborted();
    if (this.#free > 0) this.#free--;
    else await this.#turn(signal);
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        const next = this.#line.shift();
        if (next === undefined) this.#free++;
        else next();
      },
    };
  }

  #turn(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#line = this.#line.filter((each) => each !== next);
        reject(signal?.reason);
      };
      const next = (): void => {
        signal?.removeEventListener("abort", leave);
        resolve();
      };
      this.#line.push(next);
      signal?.addEventListener("abort", leave, { once: true });
    });
  }
}
