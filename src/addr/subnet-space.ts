import { EniverseError } from "../base/error.ts";
import type { Random } from "../base/random.ts";
import { type Cidr4, cidr4, cidr4Has, cidr4Size, cidrsOverlap, formatCidr } from "./cidr.ts";
import { CountTree } from "./count-tree.ts";
import { formatIpv4, type Ipv4, ipv4 } from "./ipv4.ts";

/**
 * A range of a subnet that is kept out of the automatic choice of single addresses: `prefix` ranges are where
 * /28 blocks are taken from first, `explicit` ranges give only what is asked for by name.
 */
export interface CidrReservation {
  readonly cidr: Cidr4;
  readonly kind: "prefix" | "explicit";
}

/** How a free address or block is picked: evenly at random, as EC2 does, or the lowest one. */
export type Choice = Random | "lowest";

const blockBits = 28;
const blockSize = 16;
const wholeBlock = 0xffff;

/**
 * Which addresses of one IPv4 subnet (/28 to /16) are in use, as the VPC keeps it: five addresses are never given
 * out, single addresses are picked anywhere, /28 blocks must be aligned and wholly free. Every operation but
 * lists and clones costs O(log blocks) however full the subnet is.
 */
export class SubnetSpace {
  readonly cidr: Cidr4;
  readonly #blocks: number;
  /** Bit n of a block: its n-th address is in use. */
  readonly #used: Uint16Array;
  /** Bit n of a block: its n-th address lies in a reservation of the kind. */
  readonly #prefixReserved: Uint16Array;
  readonly #explicitReserved: Uint16Array;
  /** Free addresses outside of reservations. */
  #singles: CountTree;
  /** Wholly free blocks outside of reservations, and inside of prefix reservations. */
  #generalBlocks: CountTree;
  #reservedBlocks: CountTree;
  #reservations: CidrReservation[] = [];
  #usedCount = 0;

  /** Throws `invalid_argument` unless the subnet is a /16 to /28. */
  constructor(cidr: Cidr4) {
    if (cidr.bits < 16 || cidr.bits > 28) {
      throw new EniverseError("invalid_argument", {
        attempted: `make a subnet of ${formatCidr(cidr)}`,
        wanted: "a block of /16 to /28",
      });
    }
    this.cidr = cidr;
    this.#blocks = cidr4Size(cidr) / blockSize;
    this.#used = new Uint16Array(this.#blocks);
    this.#prefixReserved = new Uint16Array(this.#blocks);
    this.#explicitReserved = new Uint16Array(this.#blocks);
    // Network address, router, DNS, "future use", and the last address.
    this.#used[0] = 0b1111;
    this.#used[this.#blocks - 1] = at(this.#used, this.#blocks - 1) | 0x8000;
    this.#singles = new CountTree(this.#blocks);
    this.#generalBlocks = new CountTree(this.#blocks);
    this.#reservedBlocks = new CountTree(this.#blocks);
    for (let block = 0; block < this.#blocks; block++) this.#count(block, 1);
  }

  /** EC2's AvailableIpAddressCount: free addresses outside of reservations. */
  get freeCount(): number {
    return this.#singles.total;
  }

  /** Addresses in use, those in blocks included, the five reserved ones not. */
  get usedCount(): number {
    return this.#usedCount;
  }

  /** /28 blocks that could be had now without asking for one by name. */
  get freeBlocks28Count(): number {
    return this.#generalBlocks.total + this.#reservedBlocks.total;
  }

  get reservations(): readonly CidrReservation[] {
    return this.#reservations;
  }

  /** False outside of the subnet as well, and for the five reserved addresses. */
  isFree(address: Ipv4): boolean {
    if (!cidr4Has(this.cidr, address)) return false;
    const { block, bit } = this.#place(address);
    return (at(this.#used, block) & bit) === 0;
  }

  /** True for the first four addresses and the last one. */
  isReservedByVpc(address: Ipv4): boolean {
    const offset = address - this.cidr.base;
    return offset === cidr4Size(this.cidr) - 1 || (offset >= 0 && offset < 4);
  }

  /** True when the whole /28 that starts at `block` is free, inside of reservations too. */
  isBlock28Free(block: Cidr4): boolean {
    this.#checkBlock(block, "look up");
    return at(this.#used, this.#place(block.base).block) === 0;
  }

  /** Takes the address by name, from a reservation too; throws `conflict` when it is not free. */
  take(address: Ipv4): void {
    this.#checkInside(address, "take");
    if (!this.isFree(address)) {
      const why = this.isReservedByVpc(address) ? "reserved by the VPC" : "in use";
      throw new EniverseError("conflict", {
        attempted: `take ${formatIpv4(address)}`,
        found: `it is ${why}`,
        wanted: `a free address of ${formatCidr(this.cidr)}`,
      });
    }
    const { block, bit } = this.#place(address);
    this.#set(block, at(this.#used, block) | bit);
  }

  /** Gives a single address back; throws `conflict` when it was not in use. */
  release(address: Ipv4): void {
    this.#checkInside(address, "release");
    if (this.isFree(address) || this.isReservedByVpc(address)) {
      throw new EniverseError("conflict", {
        attempted: `release ${formatIpv4(address)}`,
        found: "it is not in use",
      });
    }
    const { block, bit } = this.#place(address);
    this.#set(block, at(this.#used, block) & ~bit);
  }

  /** Takes one free address outside of reservations; undefined when there is none. */
  takeAny(choice: Choice): Ipv4 | undefined {
    const total = this.#singles.total;
    if (total === 0) return undefined;
    const { slot, within } = this.#singles.find(choice === "lowest" ? 0 : choice.int(total));
    const taken = at(this.#used, slot) | this.#reservedMask(slot);
    const bit = nthClearBit(taken, within);
    this.#set(slot, at(this.#used, slot) | (1 << bit));
    return ipv4(this.cidr.base + slot * blockSize + bit);
  }

  takeRandom(random: Random): Ipv4 | undefined {
    return this.takeAny(random);
  }

  takeLowest(): Ipv4 | undefined {
    return this.takeAny("lowest");
  }

  /**
   * Takes a wholly free /28: from prefix reservations first, of which one with room is picked, then from what is
   * not reserved. Undefined when fragmentation or use leaves none.
   */
  takeBlock28(choice: Choice): Cidr4 | undefined {
    const slot = this.#pickReservedBlock(choice) ?? pickSlot(this.#generalBlocks, choice);
    if (slot === undefined) return undefined;
    this.#set(slot, wholeBlock);
    return this.#block(slot);
  }

  /** Takes the /28 by name; throws `conflict` when any address of it is in use or reserved by the VPC. */
  takeGivenBlock28(block: Cidr4): void {
    if (!this.isBlock28Free(block)) {
      throw new EniverseError("conflict", {
        attempted: `take ${formatCidr(block)}`,
        found: "some of its addresses are in use or reserved by the VPC",
      });
    }
    this.#set(this.#place(block.base).block, wholeBlock);
  }

  /** Gives a whole /28 back; throws `conflict` unless all of it was in use. */
  releaseBlock28(block: Cidr4): void {
    this.#checkBlock(block, "release");
    const slot = this.#place(block.base).block;
    if (at(this.#used, slot) !== wholeBlock || slot === 0 || slot === this.#blocks - 1) {
      throw new EniverseError("conflict", {
        attempted: `release ${formatCidr(block)}`,
        found: "not all of it is in use",
      });
    }
    this.#set(slot, 0);
  }

  /** The blocks counted by {@link freeBlocks28Count}, lowest first. */
  freeBlocks28(): Cidr4[] {
    const blocks: Cidr4[] = [];
    for (let slot = 0; slot < this.#blocks; slot++) {
      if (this.#isGeneralBlock(slot) || this.#isReservedBlock(slot)) blocks.push(this.#block(slot));
    }
    return blocks;
  }

  /**
   * Keeps a range out of the automatic choice; what is in use there stays. Throws `invalid_argument` outside of
   * the subnet and `conflict` when another reservation overlaps.
   */
  reserve(reservation: CidrReservation): void {
    const { cidr } = reservation;
    const attempted = `reserve ${formatCidr(cidr)}`;
    if (cidr.bits < this.cidr.bits || !cidr4Has(this.cidr, cidr.base)) {
      throw new EniverseError("invalid_argument", {
        attempted,
        wanted: `a part of ${formatCidr(this.cidr)}`,
      });
    }
    const other = this.#reservations.find((known) => cidrsOverlap(known.cidr, cidr));
    if (other !== undefined) {
      throw new EniverseError("conflict", {
        attempted,
        found: `the reservation ${formatCidr(other.cidr)} overlaps it`,
      });
    }
    this.#reservations.push(reservation);
    this.#mark(reservation, true);
  }

  /** Lifts a reservation; throws `not_found`. */
  unreserve(cidr: Cidr4): void {
    const known = this.#reservations.find(
      (each) => each.cidr.base === cidr.base && each.cidr.bits === cidr.bits,
    );
    if (known === undefined) {
      throw new EniverseError("not_found", { attempted: `lift the reservation ${formatCidr(cidr)}` });
    }
    this.#reservations = this.#reservations.filter((each) => each !== known);
    this.#mark(known, false);
  }

  clone(): SubnetSpace {
    const copy = new SubnetSpace(this.cidr);
    copy.#used.set(this.#used);
    copy.#prefixReserved.set(this.#prefixReserved);
    copy.#explicitReserved.set(this.#explicitReserved);
    copy.#singles = this.#singles.clone();
    copy.#generalBlocks = this.#generalBlocks.clone();
    copy.#reservedBlocks = this.#reservedBlocks.clone();
    copy.#reservations = [...this.#reservations];
    copy.#usedCount = this.#usedCount;
    return copy;
  }

  #pickReservedBlock(choice: Choice): number | undefined {
    if (this.#reservedBlocks.total === 0) return undefined;
    const ranges = this.#reservations
      .filter(({ kind, cidr }) => kind === "prefix" && cidr.bits <= blockBits)
      .map(({ cidr }) => {
        const first = this.#place(cidr.base).block;
        const skipped = this.#reservedBlocks.before(first);
        return { skipped, free: this.#reservedBlocks.before(first + cidr4Size(cidr) / blockSize) - skipped };
      })
      .filter(({ free }) => free > 0);
    const lowest = ranges.toSorted((a, b) => a.skipped - b.skipped)[0];
    const range = choice === "lowest" ? lowest : choice.pick(ranges);
    if (range === undefined) return undefined;
    return this.#reservedBlocks.find(range.skipped + (choice === "lowest" ? 0 : choice.int(range.free))).slot;
  }

  #mark({ cidr, kind }: CidrReservation, on: boolean): void {
    const masks = kind === "prefix" ? this.#prefixReserved : this.#explicitReserved;
    const end = cidr.base + cidr4Size(cidr);
    for (let base: number = cidr4(cidr.base, blockBits).base; base < end; base += blockSize) {
      const slot = (base - this.cidr.base) / blockSize;
      const size = Math.min(cidr4Size(cidr), blockSize);
      const mask = ((2 ** size - 1) << Math.max(cidr.base - base, 0)) & wholeBlock;
      this.#count(slot, -1);
      masks[slot] = on ? at(masks, slot) | mask : at(masks, slot) & ~mask;
      this.#count(slot, 1);
    }
  }

  #set(block: number, used: number): void {
    this.#usedCount += ones(used) - ones(at(this.#used, block));
    this.#count(block, -1);
    this.#used[block] = used;
    this.#count(block, 1);
  }

  /** Adds a block to the trees, or takes it out of them, as it is now. */
  #count(block: number, sign: 1 | -1): void {
    this.#singles.add(block, sign * (blockSize - ones(at(this.#used, block) | this.#reservedMask(block))));
    if (this.#isGeneralBlock(block)) this.#generalBlocks.add(block, sign);
    if (this.#isReservedBlock(block)) this.#reservedBlocks.add(block, sign);
  }

  #isGeneralBlock(block: number): boolean {
    return (at(this.#used, block) | this.#reservedMask(block)) === 0;
  }

  #isReservedBlock(block: number): boolean {
    return at(this.#used, block) === 0 && at(this.#prefixReserved, block) === wholeBlock;
  }

  #reservedMask(block: number): number {
    return at(this.#prefixReserved, block) | at(this.#explicitReserved, block);
  }

  #block(slot: number): Cidr4 {
    return { family: 4, base: ipv4(this.cidr.base + slot * blockSize), bits: blockBits };
  }

  #place(address: Ipv4): { readonly block: number; readonly bit: number } {
    const offset = address - this.cidr.base;
    return { block: Math.floor(offset / blockSize), bit: 1 << (offset % blockSize) };
  }

  #checkInside(address: Ipv4, verb: string): void {
    if (cidr4Has(this.cidr, address)) return;
    throw new EniverseError("invalid_argument", {
      attempted: `${verb} ${formatIpv4(address)}`,
      wanted: `an address of ${formatCidr(this.cidr)}`,
    });
  }

  #checkBlock(block: Cidr4, verb: string): void {
    if (block.bits === blockBits && cidr4Has(this.cidr, block.base)) return;
    throw new EniverseError("invalid_argument", {
      attempted: `${verb} ${formatCidr(block)}`,
      wanted: `a /28 of ${formatCidr(this.cidr)}`,
    });
  }
}

function pickSlot(tree: CountTree, choice: Choice): number | undefined {
  if (tree.total === 0) return undefined;
  return tree.find(choice === "lowest" ? 0 : choice.int(tree.total)).slot;
}

function at(masks: Uint16Array, index: number): number {
  return masks[index] ?? 0;
}

/** Number of set bits of a 16-bit mask. */
function ones(mask: number): number {
  let rest = mask - ((mask >>> 1) & 0x5555);
  rest = (rest & 0x3333) + ((rest >>> 2) & 0x3333);
  rest = (rest + (rest >>> 4)) & 0x0f0f;
  return (rest + (rest >>> 8)) & 0x1f;
}

function nthClearBit(mask: number, n: number): number {
  let left = n;
  for (let bit = 0; bit < blockSize; bit++) {
    if ((mask & (1 << bit)) === 0 && left-- === 0) return bit;
  }
  throw new EniverseError("internal", {
    attempted: "find a free address",
    found: "counts that do not add up",
  });
}
