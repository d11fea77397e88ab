import { LinkedList } from "./linked.ts";
import type { Block } from "./pool-block.ts";
import type { BlockCounts, BlockKind, CidrView, EniView, PoolEniFacts } from "./types.ts";

/** The blocks of one kind on one ENI, counted and sorted by how soon they should be handed out from. */
export class BlockGroup implements BlockCounts {
  total = 0;
  assigned = 0;
  cooling = 0;
  blocks = 0;
  /** Blocks without a pod; they may hold cooling addresses. */
  empty = 0;
  /**
   * Blocks with something to hand out. Single addresses: the never used ones come first, then the others in the
   * order of their release. Prefixes: those with pods come first, so that the empty ones stay empty and can be
   * given back.
   */
  readonly preferred = new LinkedList<Block>();
  readonly others = new LinkedList<Block>();

  get assignable(): number {
    return this.total - this.assigned - this.cooling;
  }

  /** The block to hand out from. */
  get best(): Block | undefined {
    return this.preferred.first ?? this.others.first;
  }

  add(block: Block): void {
    this.total += block.size;
    this.blocks++;
    this.empty++;
    this.place(block);
  }

  remove(block: Block): void {
    block.list?.remove(block);
    this.total -= block.size;
    this.assigned -= block.assigned;
    this.cooling -= block.cooling;
    this.blocks--;
    if (block.assigned === 0) this.empty--;
  }

  /** Counts a change in a block and moves it to the list where it now belongs. */
  change(block: Block, assigned: number, cooling: number): void {
    const wasEmpty = block.assigned === 0;
    block.assigned += assigned;
    block.cooling += cooling;
    this.assigned += assigned;
    this.cooling += cooling;
    if (wasEmpty !== (block.assigned === 0)) this.empty += wasEmpty ? -1 : 1;
    this.place(block);
  }

  private place(block: Block): void {
    const isPreferred = block.prefix ? block.assigned > 0 : block.held.size === 0;
    const list = block.assignable > 0 ? (isPreferred ? this.preferred : this.others) : undefined;
    if (list === undefined) block.list?.remove(block);
    else if (block.list !== list) list.append(block);
  }
}

/** One ENI of a pool. */
export class PoolEni implements EniView {
  readonly id: string;
  readonly deviceNumber: number;
  readonly routeTable: number;
  readonly subnetId: string;
  readonly primaryAddress?: string;
  readonly primary: boolean;
  readonly efa: boolean;
  readonly addedAt: number;
  trunk: boolean;
  excluded: boolean;
  readonly blocks = new Map<string, Block>();
  readonly groups: Readonly<Record<BlockKind, BlockGroup>> = {
    single: new BlockGroup(),
    prefix4: new BlockGroup(),
    prefix6: new BlockGroup(),
  };

  constructor(facts: PoolEniFacts, addedAt: number) {
    this.id = facts.id;
    this.deviceNumber = facts.deviceNumber;
    this.routeTable = facts.routeTable;
    this.subnetId = facts.subnetId;
    if (facts.primaryAddress !== undefined) this.primaryAddress = facts.primaryAddress;
    this.primary = facts.primary;
    this.trunk = facts.trunk;
    this.efa = facts.efa;
    this.excluded = facts.excluded;
    this.addedAt = addedAt;
  }

  get cidrCount(): number {
    return this.blocks.size;
  }

  get assigned(): number {
    return this.#sum((group) => group.assigned);
  }

  get cooling(): number {
    return this.#sum((group) => group.cooling);
  }

  cidrs(): CidrView[] {
    return [...this.blocks.values()];
  }

  cidr(cidr: string): CidrView | undefined {
    return this.blocks.get(cidr);
  }

  #sum(count: (group: BlockGroup) => number): number {
    return count(this.groups.single) + count(this.groups.prefix4) + count(this.groups.prefix6);
  }
}

/** The order in which ENIs are used: the primary, which cannot be freed, then by device number. */
export function compareEnis(a: PoolEniFacts, b: PoolEniFacts): number {
  if (a.primary !== b.primary) return a.primary ? -1 : 1;
  return a.deviceNumber - b.deviceNumber || (a.id < b.id ? -1 : 1);
}
