import type { Clock } from "../../base/clock.ts";

const firstRetryMs = 20;
const longestRetryMs = 10_000;

/**
 * Keys to be worked on: a key is worked on by one worker at a time, and however often it is added while it waits,
 * it is worked on once. A key whose work failed comes back after 20 ms, doubling to 10 s.
 */
export class WorkQueue {
  readonly #clock: Clock;
  readonly #work: (key: string) => Promise<void>;
  readonly #onError: (key: string, error: unknown) => void;
  readonly #workers: number;
  readonly #waiting = new Set<string>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #failures = new Map<string, number>();
  /** When each delayed key is due; only the earliest wish of a key counts. */
  readonly #due = new Map<string, { readonly at: number; readonly cancel: AbortController }>();
  #stopped = false;

  constructor(options: {
    readonly clock: Clock;
    readonly work: (key: string) => Promise<void>;
    readonly onError: (key: string, error: unknown) => void;
    readonly workers?: number;
  }) {
    this.#clock = options.clock;
    this.#work = options.work;
    this.#onError = options.onError;
    this.#workers = options.workers ?? 8;
  }

  add(key: string): void {
    if (this.#stopped) return;
    this.#waiting.add(key);
    this.#pump();
  }

  /** Adds the key at a time (ms since the epoch); an earlier wish for the same key stays. */
  addAt(key: string, at: number): void {
    if (this.#stopped) return;
    const known = this.#due.get(key);
    if (known !== undefined && known.at <= at) return;
    known?.cancel.abort();
    const cancel = new AbortController();
    this.#due.set(key, { at, cancel });
    // setTimeout takes at most 2^31 ms; a worker that comes early looks again.
    const delayMs = Math.min(Math.max(0, at - this.#clock.now()), 2 ** 31 - 1);
    this.#clock.sleep(delayMs, cancel.signal).then(
      () => {
        this.#due.delete(key);
        this.add(key);
      },
      () => {},
    );
  }

  /** Takes no more keys and waits for the work that is under way. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    for (const { cancel } of this.#due.values()) cancel.abort();
    this.#due.clear();
    await Promise.allSettled(this.#running.values());
  }

  #pump(): void {
    for (const key of this.#waiting) {
      if (this.#running.size >= this.#workers) return;
      if (this.#running.has(key)) continue;
      this.#waiting.delete(key);
      this.#running.set(key, this.#run(key));
    }
  }

  async #run(key: string): Promise<void> {
    // The caller of add() may be in the middle of a change; work begins after it.
    await Promise.resolve();
    try {
      await this.#work(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      if (!this.#stopped) {
        this.#onError(key, error);
        this.addAt(key, this.#clock.now() + Math.min(firstRetryMs * 2 ** failures, longestRetryMs));
      }
    } finally {
      this.#running.delete(key);
      if (!this.#stopped) this.#pump();
    }
  }
}
