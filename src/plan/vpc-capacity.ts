import { type Cidr4, cidr4, cidr4Size, formatCidr } from "../addr/cidr.ts";
import { ipv4 } from "../addr/ipv4.ts";
import { SubnetSpace } from "../addr/subnet-space.ts";
import { expectedFreeBlocks, usableAddresses } from "./free-blocks.ts";
import type { Need } from "./vpc-demand.ts";

/** What a subnet can give. */
export interface Capacity {
  readonly cidr: Cidr4;
  /** Single addresses outside of reservations. */
  readonly singles: number;
  /** Blocks inside of prefix reservations; undefined: none is reserved, and chance decides. */
  readonly reservedBlocks: number | undefined;
  readonly usedByOthers: number;
}

export function capacityOf(cidr: Cidr4, reservations: readonly Cidr4[], usedByOthers = 0): Capacity {
  const space = new SubnetSpace(cidr);
  const general = space.freeBlocks28Count;
  for (const reservation of reservations) space.reserve({ cidr: reservation, kind: "prefix" });
  const withoutReserved = new SubnetSpace(cidr);
  for (const reservation of reservations) withoutReserved.reserve({ cidr: reservation, kind: "explicit" });
  const reservedBlocks = general - withoutReserved.freeBlocks28Count;
  return {
    cidr,
    singles: space.freeCount,
    reservedBlocks: reservations.length === 0 ? undefined : reservedBlocks,
    usedByOthers,
  };
}

/**
 * True when the subnet can give what is needed. Blocks without a reservation are counted as chance would leave them
 * once every single address is taken: EC2 picks those anywhere.
 */
export function holds(capacity: Capacity, need: Need): boolean {
  const singles = need.singles + capacity.usedByOthers;
  if (need.blocks === 0) return singles <= capacity.singles;
  if (capacity.reservedBlocks !== undefined) {
    return singles <= capacity.singles && need.blocks <= capacity.reservedBlocks;
  }
  return (
    singles + need.blocks * 16 <= usableAddresses(capacity.cidr.bits) &&
    Math.floor(expectedFreeBlocks(capacity.cidr.bits, singles)) >= need.blocks
  );
}

/** Addresses that are left after a need: singles, and those of reserved blocks. */
export function freeAfter(capacity: Capacity, need: Need): number {
  const inBlocks = (capacity.reservedBlocks ?? 0) * 16;
  return capacity.singles + inBlocks - capacity.usedByOthers - need.singles - need.blocks * 16;
}

/**
 * Prefix reservations for so many blocks at the upper end of a subnet, in at most three ranges where that leaves
 * enough single addresses; undefined when the subnet is too small.
 */
export function reserveAtEnd(cidr: Cidr4, need: Need): Cidr4[] | undefined {
  // The last block holds the subnet's last address, which is never given out.
  const exact = need.blocks + 1;
  const step = 2 ** Math.max(Math.floor(Math.log2(exact)) - 2, 0);
  for (const blocks of [Math.ceil(exact / step) * step, exact]) {
    const size = blocks * 16;
    if (cidr4Size(cidr) - size - 4 < need.singles || size >= cidr4Size(cidr)) continue;
    return rangesAtEnd(cidr, blocks);
  }
  return undefined;
}

function rangesAtEnd(cidr: Cidr4, blocks: number): Cidr4[] {
  const ranges: Cidr4[] = [];
  let end = cidr.base + cidr4Size(cidr);
  for (let size = 2 ** Math.floor(Math.log2(blocks)), left = blocks; left > 0; size /= 2) {
    if (size > left) continue;
    // Powers of two in falling order from an aligned end stay aligned.
    end -= size * 16;
    left -= size;
    ranges.push(cidr4(ipv4(end), 28 - Math.log2(size)));
  }
  return ranges;
}

/** The longest prefix length, from `longest` down to /16, whose subnet can give this; undefined: none can. */
export function smallestBits(need: Need, longest: number): number | undefined {
  for (let bits = longest; bits >= 16; bits--) {
    if (
      need.blocks === 0 ? usableAddresses(bits) >= need.singles : reserveAtEnd(cidr4(ipv4(0), bits), need)
    ) {
      return bits;
    }
  }
  return undefined;
}

export function formatAll(ranges: readonly Cidr4[]): string[] {
  return ranges.map(formatCidr);
}
