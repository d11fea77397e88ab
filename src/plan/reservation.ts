import { type Cidr4, cidr4, cidr4Size, cidrsOverlap, formatCidr } from "../addr/cidr.ts";
import { formatIpv4, ipv4 } from "../addr/ipv4.ts";
import type { SubnetSpace } from "../addr/subnet-space.ts";

/** CIDR reservations (type prefix) that keep /28 blocks together. */
export interface PrefixReservation {
  readonly cidrs: readonly string[];
  /** Blocks that they give: those in use or at the subnet's ends not counted. */
  readonly blocks: number;
  /** Addresses in use inside, which stay where they are until their pods or nodes go. */
  readonly inTheWay: readonly string[];
}

/**
 * The smallest reservation that gives `wanted` /28 blocks: one aligned range that is wholly free where there is
 * one, else several, else the one with the fewest addresses in the way. Undefined when the subnet is too small.
 */
export function findReservation(space: SubnetSpace, wanted: number): PrefixReservation | undefined {
  const bits = 28 - Math.ceil(Math.log2(Math.max(wanted, 1)));
  if (bits >= space.cidr.bits) {
    const whole = rangesOf(space, bits).find((range) => blocksIn(space, range) === cidr4Size(range) / 16);
    if (whole !== undefined) return reservationOf(space, [whole]);
    const several = coverWithFree(space, wanted);
    if (several !== undefined) return reservationOf(space, several);
  }
  for (let longer = Math.min(bits, 28); longer >= space.cidr.bits; longer--) {
    const [best] = rangesOf(space, longer)
      .filter((range) => possibleBlocks(space, range) >= wanted)
      .map((range) => ({ range, used: usedIn(space, range).length }))
      .sort((a, b) => a.used - b.used);
    if (best !== undefined) return reservationOf(space, [best.range]);
  }
  return undefined;
}

/** The largest aligned range that is wholly free; undefined when there is not one whole block. */
export function largestFreeRange(space: SubnetSpace): Cidr4 | undefined {
  for (let bits = space.cidr.bits; bits <= 28; bits++) {
    const range = rangesOf(space, bits).find((each) => blocksIn(space, each) === cidr4Size(each) / 16);
    if (range !== undefined) return range;
  }
  return undefined;
}

/** Free ranges, the largest first, until they hold the blocks; at most eight. */
function coverWithFree(space: SubnetSpace, wanted: number): Cidr4[] | undefined {
  const taken: Cidr4[] = [];
  let missing = wanted;
  for (let bits = space.cidr.bits + 1; bits <= 28 && missing > 0; bits++) {
    const size = 2 ** (28 - bits);
    // A range larger than what is missing would reserve more than asked for, unless nothing smaller will do.
    if (size > missing && bits < 28 && size / 2 >= missing) continue;
    for (const range of rangesOf(space, bits)) {
      if (missing <= 0 || taken.length >= 8) break;
      if (blocksIn(space, range) < size || taken.some((other) => cidrsOverlap(other, range))) continue;
      taken.push(range);
      missing -= size;
    }
  }
  return missing > 0 ? undefined : taken;
}

/** The aligned ranges of a length that no reservation touches. */
function rangesOf(space: SubnetSpace, bits: number): Cidr4[] {
  const count = 2 ** (bits - space.cidr.bits);
  const size = 2 ** (32 - bits);
  return Array.from({ length: count }, (_, index) =>
    cidr4(ipv4(space.cidr.base + index * size), bits),
  ).filter((range) => !space.reservations.some(({ cidr }) => cidrsOverlap(cidr, range)));
}

function blocksOf(range: Cidr4): Cidr4[] {
  return Array.from({ length: cidr4Size(range) / 16 }, (_, index) =>
    cidr4(ipv4(range.base + index * 16), 28),
  );
}

function blocksIn(space: SubnetSpace, range: Cidr4): number {
  return blocksOf(range).filter((block) => space.isBlock28Free(block)).length;
}

/** Blocks that could be free one day: all but the subnet's first and last. */
function possibleBlocks(space: SubnetSpace, range: Cidr4): number {
  const last = space.cidr.base + cidr4Size(space.cidr) - 16;
  return blocksOf(range).filter(({ base }) => base !== space.cidr.base && base !== last).length;
}

/** Addresses in use in a range, the VPC's own not counted. */
export function usedIn(space: SubnetSpace, range: Cidr4): string[] {
  const used: string[] = [];
  for (let offset = 0; offset < cidr4Size(range); offset++) {
    const address = ipv4(range.base + offset);
    if (!space.isFree(address) && !space.isReservedByVpc(address)) used.push(formatIpv4(address));
  }
  return used;
}

function reservationOf(space: SubnetSpace, ranges: readonly Cidr4[]): PrefixReservation {
  return {
    cidrs: ranges.map(formatCidr),
    blocks: ranges.reduce((sum, range) => sum + blocksIn(space, range), 0),
    inTheWay: ranges.flatMap((range) => usedIn(space, range)),
  };
}
