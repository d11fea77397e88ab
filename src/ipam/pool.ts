import { type Cidr, cidr6, formatCidr, parseCidr } from "../addr/cidr.ts";
import { type Ipv4, tryParseIpv4 } from "../addr/ipv4.ts";
import { type Ipv6, tryParseIpv6 } from "../addr/ipv6.ts";
import { EniverseError } from "../base/error.ts";
import { LinkedList } from "./linked.ts";
import { Block, type HeldAddress, ipv4BlockNames } from "./pool-block.ts";
import { compareEnis, PoolEni } from "./pool-eni.ts";
import type {
  AddressMode,
  AssignAnswer,
  Assignment,
  BlockKind,
  CoolingAddress,
  EniView,
  PodKey,
  PodMetadata,
  Pool,
  PoolEniFacts,
  PoolStats,
  Released,
} from "./types.ts";

/** The name and interface that entries migrated from the container runtime's own records have. */
export const migratedNetworkName = "_migrated-from-cri";
export const migratedIfName = "unknown";

export interface PoolOptions {
  readonly card: number;
  readonly mode: AddressMode;
  readonly cooldownMs: number;
}

/**
 * Makes an empty pool for one network card.
 *
 * Which address is given is settled, not random: the primary ENI serves first, then the others by device number
 * (so that the last ones can be freed); on an ENI a prefix that has pods before an empty one; in a block the
 * least recently used address. Released addresses cool down first; none is given out before that.
 *
 * Invariants, which `check-pool.ts` checks:
 *  1. An address has at most one key, and a key at most one address.
 *  2. A cooling address has no key, and its release is at most the cool-down ago, as of the last call.
 *  3. An address is assigned, cooling or ready, and in the matching list: none, the pool's, its block's.
 *  4. Every block is on exactly one ENI, and no two blocks overlap.
 *  5. Counts of blocks, ENIs and pool are the sums of what they count.
 *  6. A block is in a list of its ENI if and only if an address of it can be handed out, and in the right one.
 *  7. The cooling list is sorted by time of release.
 *  8. The trunk, excluded ENIs and blocks of another mode are never handed out from; the trunk only if it was
 *     given no addresses.
 */
export function createPool(options: PoolOptions): Pool {
  return new NodePool(options);
}

class NodePool implements Pool {
  readonly card: number;
  readonly cooldownMs: number;
  mode: AddressMode;
  readonly #enis = new Map<string, PoolEni>();
  #order: PoolEni[] = [];
  /** Every block by its text. */
  readonly #blocks = new Map<string, Block>();
  readonly #byKey = new Map<string, HeldAddress>();
  readonly #cooling = new LinkedList<HeldAddress>();
  #coolingSeen: { readonly version: number; readonly addresses: readonly CoolingAddress[] } | undefined;

  constructor(options: PoolOptions) {
    this.card = options.card;
    this.mode = options.mode;
    this.cooldownMs = options.cooldownMs;
  }

  setMode(mode: AddressMode): void {
    this.mode = mode;
  }

  addEni(facts: PoolEniFacts, now: number): void {
    if (this.#enis.has(facts.id)) {
      throw new EniverseError("already_exists", {
        attempted: `add ${facts.id} to the pool`,
        found: "data store: duplicate ENI",
      });
    }
    this.#enis.set(facts.id, new PoolEni(facts, now));
    this.#order = [...this.#enis.values()].sort(compareEnis);
  }

  setExcluded(eniId: string, excluded: boolean): void {
    this.#mustHave(eniId, "exclude").excluded = excluded;
  }

  setTrunk(eniId: string, trunk: boolean): void {
    this.#mustHave(eniId, "mark as trunk").trunk = trunk;
  }

  removeEni(eniId: string, options?: { readonly force?: boolean }): Assignment[] {
    const eni = this.#mustHave(eniId, "remove");
    if (eni.assigned > 0 && options?.force !== true) {
      throw new EniverseError("conflict", {
        attempted: `remove ${eniId} from the pool`,
        found: `datastore: ENI is used and can not be deleted (${eni.assigned} pods)`,
      });
    }
    const evicted = [...eni.blocks.values()].flatMap((block) => this.#dropBlock(block));
    this.#enis.delete(eniId);
    this.#order = this.#order.filter((other) => other !== eni);
    return evicted;
  }

  addCidr(eniId: string, cidr: string): void {
    const eni = this.#mustHave(eniId, `add ${cidr} to`);
    const range = parseCidr(cidr);
    const block = new Block(eni, range);
    const clash = this.#overlapping(range);
    if (clash !== undefined) {
      throw new EniverseError("already_exists", {
        attempted: `add ${cidr} of ${eniId} to the pool`,
        found: `datastore: IP already in data store (${clash.cidr} of ${clash.eni.id})`,
      });
    }
    eni.blocks.set(block.cidr, block);
    this.#blocks.set(block.cidr, block);
    block.group.add(block);
  }

  removeCidr(eniId: string, cidr: string, options?: { readonly force?: boolean }): Assignment[] {
    const block = this.#mustHave(eniId, `remove ${cidr} from`).blocks.get(cidr);
    const attempted = `remove ${cidr} of ${eniId} from the pool`;
    if (block === undefined) {
      throw new EniverseError("not_found", { attempted, found: "datastore: unknown IP" });
    }
    if (block.assigned > 0 && options?.force !== true) {
      throw new EniverseError("conflict", {
        attempted,
        found: `datastore: IP is used and can not be deleted (${block.assigned} pods)`,
      });
    }
    return this.#dropBlock(block);
  }

  assign(key: PodKey, metadata: PodMetadata | undefined, now: number): AssignAnswer {
    const known = this.#byKey.get(keyText(key));
    if (known !== undefined) return { ok: true, assignment: known.assignment(), fresh: false };
    this.#cool(now);
    const kind = kindOfMode(this.mode);
    for (const eni of this.#order) {
      if (eni.excluded) continue;
      const address = eni.groups[kind].best?.leastRecentlyUsed();
      if (address === undefined) continue;
      this.#hold(address, key, metadata, now);
      return { ok: true, assignment: address.assignment(), fresh: true };
    }
    for (const address of this.#cooling) {
      if (!this.#serves(address.block)) continue;
      return { ok: false, coolingUntil: this.#readyAt(address), cooling: this.stats(now).cooling };
    }
    return { ok: false, cooling: 0 };
  }

  cancelAssign(key: PodKey): void {
    const address = this.#byKey.get(keyText(key));
    if (address === undefined) return;
    const { block } = address;
    this.#byKey.delete(keyText(key));
    if (address.releasedAt === undefined) {
      block.forget(address);
    } else {
      clearHolder(address);
      block.becomeReady(address);
    }
    block.group.change(block, -1, 0);
  }

  restore(address: string, key: PodKey, metadata: PodMetadata | undefined, assignedAt: number): boolean {
    const place = this.#placeOf(address);
    if (place === undefined) return false;
    if (place.block.held.get(place.offset)?.state === "assigned" || this.#byKey.has(keyText(key))) {
      throw new EniverseError("already_exists", {
        attempted: `restore ${address}`,
        found: "datastore: IP already in data store",
      });
    }
    this.#hold(place.block.at(place.offset), key, metadata, assignedAt);
    return true;
  }

  restoreCooling(address: string, releasedAt: number, now: number): boolean {
    const place = this.#placeOf(address);
    if (place === undefined || place.block.held.get(place.offset)?.state === "assigned") return false;
    if (now - releasedAt > this.cooldownMs) return true;
    this.#startCooling(place.block.at(place.offset), Math.min(releasedAt, now));
    return true;
  }

  unassign(key: PodKey, now: number): Released | undefined {
    const migrated = { ...key, networkName: migratedNetworkName, ifName: migratedIfName };
    const address = this.#byKey.get(keyText(key)) ?? this.#byKey.get(keyText(migrated));
    if (address === undefined) return undefined;
    const assignment = address.assignment();
    this.#byKey.delete(keyText(assignment.key));
    address.block.group.change(address.block, -1, 0);
    clearHolder(address);
    this.#startCooling(address, now);
    return { assignment, releasedAt: now };
  }

  cancelUnassign({ assignment }: Released): void {
    this.restore(assignment.address, assignment.key, assignment.metadata, assignment.assignedAt);
  }

  lookup(key: PodKey): Assignment | undefined {
    return this.#byKey.get(keyText(key))?.assignment();
  }

  lookupAddress(address: string): Assignment | undefined {
    const place = this.#placeOf(address);
    const held = place?.block.held.get(place.offset);
    return held?.state === "assigned" ? held.assignment() : undefined;
  }

  assignments(): Assignment[] {
    return Array.from(this.#byKey.values(), (address) => address.assignment());
  }

  coolingAddresses(now: number): readonly CoolingAddress[] {
    this.#cool(now);
    const { version } = this.#cooling;
    if (this.#coolingSeen?.version !== version) {
      const addresses = Array.from(this.#cooling, ({ address, releasedAt }) => ({
        address,
        releasedAt: releasedAt ?? now,
      }));
      this.#coolingSeen = { version, addresses };
    }
    return this.#coolingSeen.addresses;
  }

  stats(now: number): PoolStats {
    this.#cool(now);
    let total = 0;
    let assigned = 0;
    let cooling = 0;
    let prefixes = 0;
    let emptyPrefixes = 0;
    const kind = kindOfMode(this.mode);
    for (const eni of this.#order) {
      if (eni.excluded) continue;
      const group = eni.groups[kind];
      total += group.total;
      assigned += group.assigned;
      cooling += group.cooling;
      if (kind === "single") continue;
      prefixes += group.blocks;
      emptyPrefixes += group.empty;
    }
    const free = total - assigned;
    return { total, assigned, cooling, free, assignable: free - cooling, prefixes, emptyPrefixes };
  }

  enis(): EniView[] {
    return [...this.#order];
  }

  eni(eniId: string): EniView | undefined {
    return this.#enis.get(eniId);
  }

  nextReadyAt(now: number): number | undefined {
    this.#cool(now);
    const { first } = this.#cooling;
    return first === undefined ? undefined : this.#readyAt(first);
  }

  /** Makes those ready whose cool-down is over: an elapsed time equal to the cool-down is still cooling. */
  #cool(now: number): void {
    for (let first = this.#cooling.first; first !== undefined; first = this.#cooling.first) {
      if (this.#readyAt(first) > now) return;
      const { block } = first;
      block.becomeReady(first);
      block.group.change(block, 0, -1);
    }
  }

  #readyAt(address: HeldAddress): number {
    return (address.releasedAt ?? 0) + this.cooldownMs + 1;
  }

  #startCooling(address: HeldAddress, releasedAt: number): void {
    const wasCooling = address.state === "cooling";
    address.state = "cooling";
    address.releasedAt = releasedAt;
    this.#cooling.insert(address, (other) => (other.releasedAt ?? 0) > releasedAt);
    address.block.group.change(address.block, 0, wasCooling ? 0 : 1);
  }

  #hold(address: HeldAddress, key: PodKey, metadata: PodMetadata | undefined, now: number): void {
    const wasCooling = address.state === "cooling";
    address.list?.remove(address);
    address.state = "assigned";
    address.key = key;
    if (metadata === undefined) delete address.metadata;
    else address.metadata = metadata;
    address.assignedAt = now;
    this.#byKey.set(keyText(key), address);
    address.block.group.change(address.block, 1, wasCooling ? -1 : 0);
  }

  #dropBlock(block: Block): Assignment[] {
    const evicted: Assignment[] = [];
    for (const address of block.held.values()) {
      if (address.state === "assigned") {
        const assignment = address.assignment();
        evicted.push(assignment);
        this.#byKey.delete(keyText(assignment.key));
      }
      address.list?.remove(address);
    }
    block.group.remove(block);
    block.eni.blocks.delete(block.cidr);
    this.#blocks.delete(block.cidr);
    return evicted;
  }

  #serves(block: Block): boolean {
    return !block.eni.excluded && block.kind === kindOfMode(this.mode);
  }

  #overlapping(range: Cidr): Block | undefined {
    if (range.family === 6) return this.#blocks.get(this.#nameOfIpv6(range.base));
    const inPrefix = this.#blocks.get(ipv4BlockNames(range.base).prefix);
    if (range.bits === 32 || inPrefix !== undefined) {
      return inPrefix ?? this.#blocks.get(ipv4BlockNames(range.base).single);
    }
    for (let offset = 0; offset < 16; offset++) {
      const single = this.#blocks.get(ipv4BlockNames((range.base + offset) as Ipv4).single);
      if (single !== undefined) return single;
    }
    return undefined;
  }

  #placeOf(text: string): { readonly block: Block; readonly offset: number } | undefined {
    const v4 = tryParseIpv4(text);
    if (v4 !== undefined) {
      const names = ipv4BlockNames(v4);
      const block = this.#blocks.get(names.single) ?? this.#blocks.get(names.prefix);
      return block?.range.family === 4 ? { block, offset: v4 - block.range.base } : undefined;
    }
    const v6 = tryParseIpv6(text);
    const block = v6 === undefined ? undefined : this.#blocks.get(this.#nameOfIpv6(v6));
    if (v6 === undefined || block?.range.family !== 6) return undefined;
    return { block, offset: Number(v6 - block.range.base) };
  }

  #nameOfIpv6(address: Ipv6): string {
    return formatCidr(cidr6(address, 80));
  }

  #mustHave(eniId: string, verb: string): PoolEni {
    const eni = this.#enis.get(eniId);
    if (eni !== undefined) return eni;
    throw new EniverseError("not_found", {
      attempted: `${verb} ${eniId}`,
      found: "datastore: unknown ENI",
    });
  }
}

/** The kind of block that pods get addresses from. */
export function kindOfMode(mode: AddressMode): BlockKind {
  return mode === "secondary-ip" ? "single" : mode === "prefix" ? "prefix4" : "prefix6";
}

function keyText(key: PodKey): string {
  return `${key.networkName}\0${key.containerId}\0${key.ifName}`;
}

function clearHolder(address: HeldAddress): void {
  delete address.key;
  delete address.metadata;
  delete address.assignedAt;
}
