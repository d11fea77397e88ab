/**
 * Counts in numbered slots with their running sums (a Fenwick tree): change one, sum a range, or find the slot in
 * which the n-th item lies, each in O(log slots).
 */
export class CountTree {
  readonly #slots: number;
  readonly #sums: Uint32Array;
  #total = 0;

  constructor(slots: number) {
    this.#slots = slots;
    this.#sums = new Uint32Array(slots + 1);
  }

  get total(): number {
    return this.#total;
  }

  add(slot: number, change: number): void {
    if (change === 0) return;
    this.#total += change;
    for (let at = slot + 1; at <= this.#slots; at += at & -at) this.#sums[at] = this.#sum(at) + change;
  }

  /** The sum of the slots below `slot`. */
  before(slot: number): number {
    let sum = 0;
    for (let at = slot; at > 0; at -= at & -at) sum += this.#sum(at);
    return sum;
  }

  /** The slot that holds item `index` (0 … total − 1), and the item's number within it. */
  find(index: number): { readonly slot: number; readonly within: number } {
    let slot = 0;
    let within = index;
    for (let step = 2 ** Math.floor(Math.log2(this.#slots)); step >= 1; step /= 2) {
      const next = slot + step;
      if (next <= this.#slots && this.#sum(next) <= within) {
        slot = next;
        within -= this.#sum(next);
      }
    }
    return { slot, within };
  }

  clone(): CountTree {
    const copy = new CountTree(this.#slots);
    copy.#sums.set(this.#sums);
    copy.#total = this.#total;
    return copy;
  }

  #sum(at: number): number {
    return this.#sums[at] ?? 0;
  }
}
