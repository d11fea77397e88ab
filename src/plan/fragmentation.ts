import { type Cidr4, cidr4, cidr4Size, formatCidr, tryParseCidr } from "../addr/cidr.ts";
import { ipv4, tryParseIpv4 } from "../addr/ipv4.ts";
import { type CidrReservation, SubnetSpace } from "../addr/subnet-space.ts";
import { EniverseError, messageOf } from "../base/error.ts";
import { seededRandom } from "../base/random.ts";
import { badField, count, numberIn, thousands, wholeNumber } from "./field.ts";
import {
  expectedFreeBlocks,
  tryFreeBlocks,
  usableAddresses,
  usableBlocks28,
  useThatLeavesFewerThan,
} from "./free-blocks.ts";
import { findReservation, largestFreeRange, type PrefixReservation, usedIn } from "./reservation.ts";

export interface PlanFragmentationInput {
  /** The subnet, "10.0.0.0/20". */
  readonly cidr: string;
  /** Shares of the usable addresses in use to look at by chance, in percent; default 10 to 70 by tens. */
  readonly usedPercents?: readonly number[];
  /** Trials by chance; default 400, and fewer in subnets so large that they would take seconds. */
  readonly trials?: number;
  readonly seed?: number;
  /** What is in use really: single addresses and /28 blocks ("10.0.0.16/28"). */
  readonly used?: readonly string[];
  readonly reservations?: readonly { readonly cidr: string; readonly kind: "prefix" | "explicit" }[];
  /** /28 blocks that prefix mode will want; default as many as the largest free range holds. */
  readonly wantedBlocks?: number;
}

/** A subnet at one share of use, filled by chance. */
export interface ChanceRow {
  readonly usedPercent: number;
  readonly used: number;
  readonly free: number;
  /** By the closed form, and in the mean of the trials. */
  readonly expectedBlocks: number;
  readonly meanBlocks: number;
  /** Share of the trials in which not one whole block was left, 0 to 1. */
  readonly chanceOfNone: number;
}

/** A subnet as it is. */
export interface SubnetUse {
  readonly used: number;
  /** Free addresses outside of reservations: EC2's AvailableIpAddressCount. */
  readonly free: number;
  readonly freeBlocks: number;
  /** What chance alone would have left at this use. */
  readonly expectedBlocks: number;
  /** Addresses in use in each /28, in order; 16 is a full block or a prefix. */
  readonly cells: readonly number[];
  /** Blocks that are cheapest to free: the fewest addresses to move. */
  readonly cheapest: readonly { readonly block: string; readonly addresses: readonly string[] }[];
}

export interface FragmentationAnswer {
  readonly cidr: string;
  readonly usable: number;
  /** /28 blocks that an empty subnet of this size gives. */
  readonly blocks: number;
  readonly chance: readonly ChanceRow[];
  /** The least use at which chance leaves fewer blocks than one, and than what is wanted. */
  readonly failsAt: {
    readonly used: number;
    readonly usedPercent: number;
    readonly free: number;
    readonly blocks: number;
  };
  /** Present when it was said what is in use. */
  readonly now?: SubnetUse;
  /** The reservation that keeps blocks together; absent when there is no room for one. */
  readonly reservation?: PrefixReservation;
  readonly verdict: string;
  readonly explain: readonly string[];
}

const defaultPercents: readonly number[] = [10, 20, 30, 40, 50, 60, 70];

/**
 * Whether prefix mode will find whole /28 blocks in a subnet: expected by chance at given uses, and counted when
 * it is said what is in use; and the CIDR reservation that keeps them. Throws `invalid_argument`.
 */
export function planFragmentation(input: PlanFragmentationInput): FragmentationAnswer {
  const cidr = subnetBlock("cidr", input.cidr);
  const usable = usableAddresses(cidr.bits);
  const trials = wholeNumber("trials", input.trials ?? defaultTrials(usable), 1, 100_000);
  const percents = input.usedPercents ?? defaultPercents;
  for (const percent of percents) numberIn("usedPercents", percent, 0, 100);
  const wanted = input.wantedBlocks;
  if (wanted !== undefined) wholeNumber("wantedBlocks", wanted, 1, 4096);
  const uses = percents.map((percent) => Math.round((usable * percent) / 100));
  const tried = tryFreeBlocks(cidr, uses, trials, seededRandom(input.seed ?? 1));
  const chance = percents.map((usedPercent, index): ChanceRow => {
    const used = uses[index] ?? 0;
    return {
      usedPercent,
      used,
      free: usable - used,
      expectedBlocks: expectedFreeBlocks(cidr.bits, used),
      meanBlocks: tried[index]?.mean ?? 0,
      chanceOfNone: tried[index]?.none ?? 1,
    };
  });
  const limit = Math.max(wanted ?? 1, 1);
  const failsAtUse = useThatLeavesFewerThan(cidr.bits, limit);
  const failsAt = {
    used: failsAtUse,
    usedPercent: (failsAtUse / usable) * 100,
    free: usable - failsAtUse,
    blocks: limit,
  };
  const isKnown = input.used !== undefined || (input.reservations?.length ?? 0) > 0;
  const space = spaceOf(cidr, input);
  const now = isKnown ? useOf(space) : undefined;
  const reservation = isKnown || wanted !== undefined ? reservationFor(space, wanted) : undefined;
  return {
    cidr: formatCidr(cidr),
    usable,
    blocks: usableBlocks28(cidr.bits),
    chance,
    failsAt,
    ...(now === undefined ? {} : { now }),
    ...(reservation === undefined ? {} : { reservation }),
    verdict: verdictOf(now, failsAt, wanted),
    explain: explain(cidr, chance, failsAt, now, reservation, trials),
  };
}

function defaultTrials(usable: number): number {
  return Math.max(Math.min(400, Math.floor(2_000_000 / usable)), 20);
}

/** Reads a subnet's block; throws `invalid_argument` unless it is IPv4 and a /16 to /28. */
export function subnetBlock(field: string, text: string): Cidr4 {
  const cidr = tryParseCidr(text);
  if (cidr?.family !== 4 || cidr.bits < 16 || cidr.bits > 28) {
    throw badField(field, JSON.stringify(text), "an IPv4 block of /16 to /28, as 10.0.0.0/20");
  }
  return cidr;
}

/** A subnet with what is in use and reserved; throws `invalid_argument` for what does not lie in it. */
export function spaceOf(
  cidr: Cidr4,
  input: Pick<PlanFragmentationInput, "used" | "reservations">,
): SubnetSpace {
  const space = new SubnetSpace(cidr);
  const attempt = (field: string, text: string, work: () => void): void => {
    try {
      work();
    } catch (cause) {
      if (!(cause instanceof EniverseError)) throw cause;
      throw badField(field, JSON.stringify(text), cause.parts.wanted ?? messageOf(cause));
    }
  };
  for (const text of new Set(input.used ?? [])) {
    attempt("used", text, () => take(space, text));
  }
  for (const { cidr: text, kind } of input.reservations ?? []) {
    const range = tryParseCidr(text);
    if (range?.family !== 4)
      throw badField("reservations", JSON.stringify(text), "an IPv4 block of the subnet");
    const reservation: CidrReservation = { cidr: range, kind };
    attempt("reservations", text, () => space.reserve(reservation));
  }
  return space;
}

function take(space: SubnetSpace, text: string): void {
  const address = tryParseIpv4(text);
  const block = address === undefined ? tryParseCidr(text) : undefined;
  if (address !== undefined) space.take(address);
  else if (block?.family === 4 && block.bits === 28) space.takeGivenBlock28(block);
  else if (block?.family === 4 && block.bits === 32) space.take(block.base);
  else throw badField("used", JSON.stringify(text), "an IPv4 address or a /28 block of the subnet");
}

function useOf(space: SubnetSpace): SubnetUse {
  const blocks = Array.from({ length: cidr4Size(space.cidr) / 16 }, (_, index) =>
    cidr4(ipv4(space.cidr.base + index * 16), 28),
  );
  const used = blocks.map((block) => usedIn(space, block));
  const inner = blocks
    .map((block, index) => ({ block: formatCidr(block), addresses: used[index] ?? [] }))
    .slice(1, -1);
  return {
    used: space.usedCount,
    free: space.freeCount,
    freeBlocks: space.freeBlocks28Count,
    expectedBlocks: expectedFreeBlocks(space.cidr.bits, space.usedCount),
    cells: used.map((addresses) => addresses.length),
    cheapest: inner
      .filter(({ addresses }) => addresses.length > 0 && addresses.length < 16)
      .sort((a, b) => a.addresses.length - b.addresses.length)
      .slice(0, 8),
  };
}

function reservationFor(space: SubnetSpace, wanted: number | undefined): PrefixReservation | undefined {
  if (wanted !== undefined) return findReservation(space, wanted);
  const range = largestFreeRange(space);
  return range === undefined ? undefined : findReservation(space, cidr4Size(range) / 16);
}

function verdictOf(
  now: SubnetUse | undefined,
  failsAt: FragmentationAnswer["failsAt"],
  wanted: number | undefined,
): string {
  if (now === undefined) {
    if (failsAt.used === 0)
      return `Prefix mode never works: the subnet cannot give ${count(failsAt.blocks, "block")}`;
    const what = failsAt.blocks === 1 ? "prefix mode" : `prefix mode with ${count(failsAt.blocks, "prefix")}`;
    return `By chance ${what} fails from about ${failsAt.usedPercent.toFixed(0)} % use on, with ${count(failsAt.free, "address")} still free`;
  }
  const has = `${count(now.free, "address")} free, ${count(now.freeBlocks, "whole /28 block")}`;
  if (wanted === undefined) {
    return now.freeBlocks === 0
      ? `${has}: the next prefix fails with InsufficientCidrBlocks`
      : `${has}: prefix mode fails after ${count(now.freeBlocks, "more prefix")}`;
  }
  if (now.freeBlocks >= wanted) return `${has}: enough for the ${wanted} that are wanted`;
  return `${has}: prefix mode fails after ${now.freeBlocks} of the ${count(wanted, "prefix")} that are wanted`;
}

function explain(
  cidr: Cidr4,
  chance: readonly ChanceRow[],
  failsAt: FragmentationAnswer["failsAt"],
  now: SubnetUse | undefined,
  reservation: PrefixReservation | undefined,
  trials: number,
): string[] {
  const size = cidr4Size(cidr);
  const n = usableAddresses(cidr.bits);
  const lines = [
    `${formatCidr(cidr)}: ${thousands(size)} addresses − 5 that the VPC keeps = ${thousands(n)}`,
    `${size / 16} blocks of 16 − the first and the last, which hold those five = ${usableBlocks28(cidr.bits)} that can be prefixes`,
    `a block is free by chance when all its 16 addresses are: blocks × C(n − 16, used) / C(n, used)`,
    ...chance.map(
      (row) =>
        `${row.usedPercent} %: ${usableBlocks28(cidr.bits)} × C(${n - 16}, ${row.used}) / C(${n}, ${row.used}) = ${row.expectedBlocks.toFixed(2)} blocks; ${trials} trials: ${row.meanBlocks.toFixed(2)}, none left in ${(row.chanceOfNone * 100).toFixed(0)} %`,
    ),
    `fewer than ${failsAt.blocks} expected from ${thousands(failsAt.used)} addresses in use on = ${failsAt.usedPercent.toFixed(1)} %`,
  ];
  if (now !== undefined) {
    lines.push(
      `now: ${now.used} in use, ${now.freeBlocks} whole blocks counted; chance alone would leave ${now.expectedBlocks.toFixed(1)}`,
    );
  }
  if (reservation !== undefined) {
    const way =
      reservation.inTheWay.length === 0
        ? ""
        : `, ${count(reservation.inTheWay.length, "address")} in the way`;
    lines.push(`reservation ${reservation.cidrs.join(", ")}: ${reservation.blocks} whole blocks${way}`);
  }
  return lines;
}
