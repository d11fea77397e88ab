/** A node as the scheduler sees it. */
export interface Placeable {
  /** Pods bound to it, and how many it takes. */
  load: number;
  readonly capacity: number;
  /** Its place among the nodes of the same load; the scheduler's own. */
  slot: number;
}

/**
 * Spreads pods: the next one goes to the node with the fewest. Nodes are kept by their load, so that choosing,
 * binding and freeing cost constant time however many nodes there are. All nodes of one scheduler have the same
 * capacity.
 */
export class LeastLoaded<T extends Placeable> {
  readonly #byLoad: T[][] = [];
  #lowest = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  add(node: T): void {
    this.#size++;
    this.#enter(node);
  }

  remove(node: T): void {
    this.#size--;
    this.#leave(node);
  }

  /** The node with the fewest pods that can take another one. */
  best(): T | undefined {
    for (; this.#lowest < this.#byLoad.length; this.#lowest++) {
      const [first] = this.#byLoad[this.#lowest] ?? [];
      if (first !== undefined) return first.load < first.capacity ? first : undefined;
    }
    return undefined;
  }

  /** Changes the load of a node that was added. */
  change(node: T, by: number): void {
    this.#leave(node);
    node.load += by;
    this.#enter(node);
  }

  #enter(node: T): void {
    for (let load = this.#byLoad.length; load <= node.load; load++) this.#byLoad.push([]);
    const peers = this.#byLoad[node.load] ?? [];
    node.slot = peers.length;
    peers.push(node);
    this.#lowest = Math.min(this.#lowest, node.load);
  }

  #leave(node: T): void {
    const peers = this.#byLoad[node.load] ?? [];
    const last = peers.pop();
    if (last === undefined || last === node) return;
    peers[node.slot] = last;
    last.slot = node.slot;
  }
}
