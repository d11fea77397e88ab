import { type Cidr4, cidr4Size } from "../addr/cidr.ts";
import { SubnetSpace } from "../addr/subnet-space.ts";
import type { Random } from "../base/random.ts";

/** Addresses of a block that VPCs never give out: the first four and the last. */
export const reservedByVpc = 5;

/** Addresses of a subnet that can be given out. */
export function usableAddresses(bits: number): number {
  return 2 ** (32 - bits) - reservedByVpc;
}

/** /28 blocks of a subnet that can ever be prefixes: not the first and the last, which hold reserved addresses. */
export function usableBlocks28(bits: number): number {
  return Math.max(2 ** (28 - bits) - 2, 0);
}

/**
 * Wholly free /28 blocks expected when `used` single addresses lie anywhere in the subnet by chance, as EC2 picks
 * them: blocks × C(n − 16, used) / C(n, used) with n usable addresses.
 */
export function expectedFreeBlocks(bits: number, used: number): number {
  if (usableBlocks28(bits) === 0) return 0;
  const n = usableAddresses(bits);
  let share = 1;
  for (let inBlock = 0; inBlock < 16; inBlock++) share *= Math.max(n - used - inBlock, 0) / (n - inBlock);
  return usableBlocks28(bits) * share;
}

/** The fewest addresses in use at which fewer than `blocks` free blocks are expected. */
export function useThatLeavesFewerThan(bits: number, blocks: number): number {
  let low = 0;
  let high = usableAddresses(bits);
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (expectedFreeBlocks(bits, middle) < blocks) high = middle;
    else low = middle + 1;
  }
  return low;
}

export interface Trials {
  /** Free blocks in the mean over all trials. */
  readonly mean: number;
  /** Share of the trials that left no block, 0 to 1. */
  readonly none: number;
}

/** Fills the subnet with single addresses by chance, `trials` times, and looks at it at each number of `uses`. */
export function tryFreeBlocks(
  cidr: Cidr4,
  uses: readonly number[],
  trials: number,
  random: Random,
): Trials[] {
  const sums = uses.map(() => ({ blocks: 0, none: 0 }));
  const order = uses.map((use, index) => ({ use, index })).sort((a, b) => a.use - b.use);
  for (let trial = 0; trial < trials; trial++) {
    const space = new SubnetSpace(cidr);
    for (const { use, index } of order) {
      while (space.usedCount < use && space.takeRandom(random) !== undefined);
      const sum = sums[index];
      if (sum === undefined) continue;
      sum.blocks += space.freeBlocks28Count;
      if (space.freeBlocks28Count === 0) sum.none++;
    }
  }
  return sums.map(({ blocks, none }) => ({ mean: blocks / trials, none: none / trials }));
}

/** Number of /28 cells of a subnet. */
export function cellsOf(cidr: Cidr4): number {
  return cidr4Size(cidr) / 16;
}
