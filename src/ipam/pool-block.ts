import { type Cidr, cidr4Size, formatCidr } from "../addr/cidr.ts";
import { formatIpv4, type Ipv4, ipv4 } from "../addr/ipv4.ts";
import { formatIpv6, ipv6 } from "../addr/ipv6.ts";
import { EniverseError } from "../base/error.ts";
import { type Linked, LinkedList } from "./linked.ts";
import type { BlockGroup, PoolEni } from "./pool-eni.ts";
import type { AddressView, Assignment, BlockKind, CidrView, PodKey, PodMetadata } from "./types.ts";

export function blockKindOf(cidr: Cidr): BlockKind {
  if (cidr.family === 4 && cidr.bits === 32) return "single";
  if (cidr.family === 4 && cidr.bits === 28) return "prefix4";
  if (cidr.family === 6 && cidr.bits === 80) return "prefix6";
  throw new EniverseError("invalid_argument", {
    attempted: `hold ${formatCidr(cidr)} in a pool`,
    wanted: "a /32, a /28 or an IPv6 /80",
  });
}

/** An address that has been handed out at least once. It is in one list: its pool's cooling or its block's ready. */
export class HeldAddress implements AddressView, Linked<HeldAddress> {
  readonly block: Block;
  readonly offset: number;
  readonly address: string;
  state: "assigned" | "cooling" | "ready" = "ready";
  key?: PodKey;
  metadata?: PodMetadata;
  assignedAt?: number;
  releasedAt?: number;
  list?: LinkedList<HeldAddress> | undefined;
  previous?: HeldAddress | undefined;
  next?: HeldAddress | undefined;

  constructor(block: Block, offset: number) {
    this.block = block;
    this.offset = offset;
    this.address = block.addressText(offset);
  }

  assignment(): Assignment {
    const { block } = this;
    if (this.key === undefined || this.assignedAt === undefined) {
      throw new EniverseError("internal", {
        attempted: `name the holder of ${this.address}`,
        found: "it is not assigned",
      });
    }
    return {
      key: this.key,
      metadata: this.metadata,
      address: this.address,
      family: block.range.family,
      eniId: block.eni.id,
      cidr: block.cidr,
      deviceNumber: block.eni.deviceNumber,
      routeTable: block.eni.routeTable,
      assignedAt: this.assignedAt,
    };
  }
}

/** One /32, /28 or /80: its addresses come into being when they are first handed out. */
export class Block implements CidrView, Linked<Block> {
  readonly eni: PoolEni;
  readonly range: Cidr;
  readonly cidr: string;
  readonly kind: BlockKind;
  readonly size: number;
  readonly held = new Map<number, HeldAddress>();
  /** Past their cool-down, longest released first. */
  readonly ready = new LinkedList<HeldAddress>();
  assigned = 0;
  cooling = 0;
  list?: LinkedList<Block> | undefined;
  previous?: Block | undefined;
  next?: Block | undefined;
  /** Below it every address has been handed out at some time. */
  #nextFresh = 0;

  constructor(eni: PoolEni, range: Cidr) {
    this.eni = eni;
    this.range = range;
    this.cidr = formatCidr(range);
    this.kind = blockKindOf(range);
    this.size = range.family === 4 ? cidr4Size(range) : 2 ** (128 - range.bits);
  }

  get prefix(): boolean {
    return this.kind !== "single";
  }

  get group(): BlockGroup {
    return this.eni.groups[this.kind];
  }

  get assignable(): number {
    return this.size - this.assigned - this.cooling;
  }

  addresses(): AddressView[] {
    return [...this.held.values()].sort((a, b) => a.offset - b.offset);
  }

  addressText(offset: number): string {
    return this.range.family === 4
      ? formatIpv4(ipv4(this.range.base + offset))
      : formatIpv6(ipv6(this.range.base + BigInt(offset)));
  }

  /** The address at an offset, made if need be. */
  at(offset: number): HeldAddress {
    let address = this.held.get(offset);
    if (address === undefined) {
      address = new HeldAddress(this, offset);
      this.held.set(offset, address);
    }
    return address;
  }

  /**
   * The least recently used address that is not held or cooling: one that was never handed out, lowest first,
   * then the one released longest ago. Undefined when there is none.
   */
  leastRecentlyUsed(): HeldAddress | undefined {
    while (this.#nextFresh < this.size && this.held.has(this.#nextFresh)) this.#nextFresh++;
    if (this.#nextFresh < this.size) return this.at(this.#nextFresh);
    return this.ready.first;
  }

  /** A cooled address is ready again; in a /80 it is forgotten, there being no end of fresh ones. */
  becomeReady(address: HeldAddress): void {
    address.state = "ready";
    if (this.kind === "prefix6") {
      address.list?.remove(address);
      this.held.delete(address.offset);
      if (address.offset >= this.#nextFresh) this.#nextFresh = address.offset + 1;
    } else {
      const releasedAt = address.releasedAt ?? 0;
      this.ready.insert(address, (other) => (other.releasedAt ?? 0) > releasedAt);
    }
  }

  /** Makes an address as if it had never been handed out. */
  forget(address: HeldAddress): void {
    address.list?.remove(address);
    this.held.delete(address.offset);
    this.#nextFresh = Math.min(this.#nextFresh, address.offset);
  }
}

/** Where in which block an IPv4 address would lie, as block names: "a.b.c.d/32" and its /28. */
export function ipv4BlockNames(address: Ipv4): { readonly single: string; readonly prefix: string } {
  return {
    single: `${formatIpv4(address)}/32`,
    prefix: `${formatIpv4(ipv4(address & ~15))}/28`,
  };
}
