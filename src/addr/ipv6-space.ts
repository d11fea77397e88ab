import { EniverseError } from "../base/error.ts";
import type { Random } from "../base/random.ts";
import { type Cidr6, cidr6Has, formatCidr } from "./cidr.ts";
import { formatIpv6, type Ipv6, ipv6 } from "./ipv6.ts";

const prefixBits = 80;
/** /80 blocks in a /64. */
const prefixCount = 0x1_0000;
const lastHost = 0xffff_ffff_ffff_ffffn;

/**
 * Which addresses and /80 prefixes of one IPv6 subnet (a /64) are in use. The first four addresses and the last
 * one are never given out, so the first and the last /80 are no prefixes.
 */
export class Ipv6Space {
  readonly cidr: Cidr6;
  readonly #addresses = new Set<bigint>();
  readonly #prefixes = new Set<number>();
  /** Single addresses in use per /80, where there are any. */
  readonly #singlesIn = new Map<number, number>();

  /** Throws `invalid_argument` unless the subnet is a /64. */
  constructor(cidr: Cidr6) {
    if (cidr.bits !== 64) {
      throw new EniverseError("invalid_argument", {
        attempted: `make an IPv6 subnet of ${formatCidr(cidr)}`,
        wanted: "a /64",
      });
    }
    this.cidr = cidr;
  }

  get usedAddresses(): number {
    return this.#addresses.size;
  }

  get usedPrefixes(): number {
    return this.#prefixes.size;
  }

  isFree(address: Ipv6): boolean {
    if (!cidr6Has(this.cidr, address)) return false;
    const host = address & lastHost;
    return (
      host > 3n && host < lastHost && !this.#addresses.has(address) && !this.#prefixes.has(indexOf(address))
    );
  }

  isPrefixFree(prefix: Cidr6): boolean {
    this.#checkPrefix(prefix, "look up");
    return this.#isIndexFree(indexOf(prefix.base));
  }

  /** Takes the address by name; throws `conflict` when it is not a free one of this subnet. */
  take(address: Ipv6): void {
    if (!this.isFree(address)) {
      throw new EniverseError("conflict", {
        attempted: `take ${formatIpv6(address)}`,
        found: "it is in use, reserved by the VPC, or of another subnet",
        wanted: `a free address of ${formatCidr(this.cidr)}`,
      });
    }
    this.#addresses.add(address);
    this.#countSingle(address, 1);
  }

  release(address: Ipv6): void {
    if (!this.#addresses.delete(address)) {
      throw new EniverseError("conflict", {
        attempted: `release ${formatIpv6(address)}`,
        found: "it is not in use",
      });
    }
    this.#countSingle(address, -1);
  }

  /** Takes an address anywhere in the subnet. A /64 cannot run out of them, but for its prefixes. */
  takeRandom(random: Random): Ipv6 | undefined {
    const index = this.#pick(random, (each) => !this.#prefixes.has(each));
    if (index === undefined) return undefined;
    for (;;) {
      let host = BigInt(index);
      for (let part = 0; part < 3; part++) host = (host << 16n) | BigInt(random.int(0x1_0000));
      const address = ipv6(this.cidr.base | host);
      if (!this.isFree(address)) continue;
      this.take(address);
      return address;
    }
  }

  /** Takes a free /80; undefined when there is none. */
  takePrefix(choice: Random | "lowest"): Cidr6 | undefined {
    const isFree = (each: number): boolean => this.#isIndexFree(each);
    const index = choice === "lowest" ? firstFrom(0, isFree) : this.#pick(choice, isFree);
    if (index === undefined) return undefined;
    this.#prefixes.add(index);
    return { family: 6, base: ipv6(this.cidr.base | (BigInt(index) << 48n)), bits: prefixBits };
  }

  takeGivenPrefix(prefix: Cidr6): void {
    if (!this.isPrefixFree(prefix)) {
      throw new EniverseError("conflict", {
        attempted: `take ${formatCidr(prefix)}`,
        found: "some of its addresses are in use or reserved by the VPC",
      });
    }
    this.#prefixes.add(indexOf(prefix.base));
  }

  releasePrefix(prefix: Cidr6): void {
    this.#checkPrefix(prefix, "release");
    if (!this.#prefixes.delete(indexOf(prefix.base))) {
      throw new EniverseError("conflict", {
        attempted: `release ${formatCidr(prefix)}`,
        found: "it is not in use",
      });
    }
  }

  clone(): Ipv6Space {
    const copy = new Ipv6Space(this.cidr);
    for (const address of this.#addresses) copy.#addresses.add(address);
    for (const index of this.#prefixes) copy.#prefixes.add(index);
    for (const [index, count] of this.#singlesIn) copy.#singlesIn.set(index, count);
    return copy;
  }

  #isIndexFree(index: number): boolean {
    return index > 0 && index < prefixCount - 1 && !this.#prefixes.has(index) && !this.#singlesIn.has(index);
  }

  /** A random block that will do: a few throws, which nearly always hit, then the next one from a random place. */
  #pick(random: Random, fits: (index: number) => boolean): number | undefined {
    for (let tries = 0; tries < 16; tries++) {
      const index = random.int(prefixCount);
      if (fits(index)) return index;
    }
    return firstFrom(random.int(prefixCount), fits);
  }

  #countSingle(address: Ipv6, change: number): void {
    const index = indexOf(address);
    const count = (this.#singlesIn.get(index) ?? 0) + change;
    if (count === 0) this.#singlesIn.delete(index);
    else this.#singlesIn.set(index, count);
  }

  #checkPrefix(prefix: Cidr6, verb: string): void {
    if (prefix.bits === prefixBits && cidr6Has(this.cidr, prefix.base)) return;
    throw new EniverseError("invalid_argument", {
      attempted: `${verb} ${formatCidr(prefix)}`,
      wanted: `a /80 of ${formatCidr(this.cidr)}`,
    });
  }
}

/** Which /80 of its /64 an address lies in. */
function indexOf(address: Ipv6): number {
  return Number((address >> 48n) & 0xffffn);
}

function firstFrom(start: number, fits: (index: number) => boolean): number | undefined {
  for (let step = 0; step < prefixCount; step++) {
    const index = (start + step) % prefixCount;
    if (fits(index)) return index;
  }
  return undefined;
}
