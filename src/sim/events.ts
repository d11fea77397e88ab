/** Something that happens at a time of the virtual clock. */
interface Event {
  readonly at: number;
  /** Events of one time run in the order in which they were added. */
  readonly order: number;
  readonly run: () => void;
}

/**
 * The virtual clock and what is to happen on it: a binary heap by time, then by order of addition. Adding and
 * taking cost O(log events); nothing is ever searched for, so what is no longer wanted is left to run and to find
 * out by itself.
 */
export class EventQueue {
  readonly #heap: Event[] = [];
  #now: number;
  #order = 0;
  #ran = 0;

  constructor(startMs = 0) {
    this.#now = startMs;
  }

  /** Milliseconds since the Unix epoch. */
  get now(): number {
    return this.#now;
  }

  get size(): number {
    return this.#heap.length;
  }

  /** Events that have run so far. */
  get ran(): number {
    return this.#ran;
  }

  /** Adds an event; a time that has passed already means now. */
  at(time: number, run: () => void): void {
    this.#push({ at: Math.max(time, this.#now), order: this.#order++, run });
  }

  after(delayMs: number, run: () => void): void {
    this.at(this.#now + delayMs, run);
  }

  /** Runs everything up to and including `time`, the earliest first, and leaves the clock there. */
  runUntil(time: number): void {
    for (let first = this.#heap[0]; first !== undefined && first.at <= time; first = this.#heap[0]) {
      this.#dropFirst();
      this.#now = first.at;
      this.#ran++;
      first.run();
    }
    this.#now = Math.max(this.#now, time);
  }

  /** Runs the next event; false when there is none up to `time`. */
  step(time = Number.POSITIVE_INFINITY): boolean {
    const first = this.#heap[0];
    if (first === undefined || first.at > time) return false;
    this.#dropFirst();
    this.#now = first.at;
    this.#ran++;
    first.run();
    return true;
  }

  #push(event: Event): void {
    const heap = this.#heap;
    let index = heap.length;
    while (index > 0) {
      const above = (index - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(event, parent)) break;
      heap[index] = parent;
      index = above;
    }
    heap[index] = event;
  }

  #dropFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let below = 2 * index + 1;
      const left = heap[below];
      if (left === undefined) break;
      const right = heap[below + 1];
      let child = left;
      if (right !== undefined && isBefore(right, left)) {
        below++;
        child = right;
      }
      if (!isBefore(child, last)) break;
      heap[index] = child;
      index = below;
    }
    heap[index] = last;
  }
}

function isBefore(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
