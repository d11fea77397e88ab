import { EniverseError } from "../base/error.ts";
import type { EventQueue } from "./events.ts";

/**
 * A program on the virtual clock: a generator that yields how many milliseconds to sleep, or a task to wait for.
 * Programs read like the asynchronous code of ipamd, but cost no promises and run in a settled order.
 */
export type Process<T> = Generator<number | Task<unknown>, T, void>;

/** A program that was started: its end, for those who wait for it. */
export class Task<T> {
  #ended: { readonly value: T } | { readonly error: unknown } | undefined;
  #waiters: (() => void)[] = [];

  get isEnded(): boolean {
    return this.#ended !== undefined;
  }

  /** Calls back when the program has ended; at once when it has. */
  whenEnded(run: () => void): void {
    if (this.#ended !== undefined) run();
    else this.#waiters.push(run);
  }

  end(ended: { readonly value: T } | { readonly error: unknown }): void {
    this.#ended = ended;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const run of waiters) run();
  }

  /** The answer of a program that has ended; its error is thrown. */
  get value(): T {
    if (this.#ended === undefined) {
      throw new EniverseError("internal", { attempted: "read the answer of a program that still runs" });
    }
    if ("error" in this.#ended) throw this.#ended.error;
    return this.#ended.value;
  }

  /** Waits for the end; the program's answer, or its error thrown. */
  *join(): Process<T> {
    while (this.#ended === undefined) yield this;
    return this.value;
  }
}

/** Starts a program; it runs at once up to its first pause. */
export function spawn<T>(queue: EventQueue, process: Process<T>): Task<T> {
  const task = new Task<T>();
  const step = (): void => {
    let next: IteratorResult<number | Task<unknown>, T>;
    try {
      next = process.next();
    } catch (error) {
      task.end({ error });
      return;
    }
    if (next.done) task.end({ value: next.value });
    else if (typeof next.value === "number") queue.after(next.value, step);
    else next.value.whenEnded(step);
  };
  step();
  return task;
}

/** A question that several programs ask: those who ask while it is under way share the one answer. */
export class Shared<T> {
  readonly #queue: EventQueue;
  readonly #ask: () => Process<T>;
  #task: Task<T> | undefined;

  constructor(queue: EventQueue, ask: () => Process<T>) {
    this.#queue = queue;
    this.#ask = ask;
  }

  *answer(): Process<T> {
    if (this.#task === undefined || this.#task.isEnded) this.#task = spawn(this.#queue, this.#ask());
    return yield* this.#task.join();
  }
}
