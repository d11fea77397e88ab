import { type Cidr4, cidr4, cidrContains, cidrsOverlap } from "../addr/cidr.ts";
import { ipv4 } from "../addr/ipv4.ts";

/** The unallocated space of some blocks, kept in halves of halves: what is taken is always aligned. */
export class FreeSpace {
  #free: Cidr4[];

  constructor(blocks: readonly Cidr4[]) {
    this.#free = [...blocks];
  }

  /** Takes a range out, wherever it overlaps. */
  occupy(range: Cidr4): void {
    this.#free = this.#free.flatMap((block) => without(block, range));
  }

  /** Takes the tightest place for a block of `bits`, the lowest of these; undefined when there is none. */
  take(bits: number): Cidr4 | undefined {
    const [best] = this.#free
      .filter((block) => block.bits <= bits)
      .sort((a, b) => b.bits - a.bits || a.base - b.base);
    if (best === undefined) return undefined;
    const taken = cidr4(best.base, bits);
    this.occupy(taken);
    return taken;
  }

  /** What is left, lowest first. */
  get blocks(): Cidr4[] {
    return this.#free.toSorted((a, b) => a.base - b.base);
  }
}

function without(block: Cidr4, range: Cidr4): Cidr4[] {
  if (!cidrsOverlap(block, range)) return [block];
  if (cidrContains(range, block)) return [];
  const bits = block.bits + 1;
  const halves = [cidr4(block.base, bits), cidr4(ipv4(block.base + 2 ** (32 - bits)), bits)];
  return halves.flatMap((half) => without(half, range));
}
