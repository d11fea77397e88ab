import type { IpAddress, Rule } from "../linux/rtnetlink/values.ts";

/** Where an ENI sits. */
export interface EniSlot {
  /** Network card. */
  readonly cardIndex: number;
  /** Device index on the instance. */
  readonly deviceIndex: number;
}

export const mainTable = 254;

/** Priorities of the routing rules of a node, lowest first. The official CNI's numbers; tools know them. */
export const rulePriority = {
  /** In pods with several addresses: from the address to its own table. */
  podSource: 1,
  branchPod: 10,
  movedLocal: 20,
  toPod: 512,
  connmark: 1024,
  externalService: 1535,
  fromPod: 1536,
  eni: 32765,
} as const;

/**
 * Number of an ENI's routing table. Cards above 0 have the numbers of Amazon Linux' own network set-up
 * (amazon-ec2-net-utils), so that both can live on one node.
 */
export function eniRouteTable(slot: EniSlot): number {
  if (slot.cardIndex > 0) return 10_000 + slot.deviceIndex + 100 * slot.cardIndex;
  return slot.deviceIndex === 0 ? mainTable : slot.deviceIndex + 1;
}

/** What older versions of the official CNI used for cards above 0. */
export function oldEniRouteTable(slot: EniSlot, maxEnisPerCard: number): number {
  return slot.deviceIndex + 1 + slot.cardIndex * maxEnisPerCard;
}

/** Table 1 and below in a reply or an old result stands for main. */
export function podRouteTable(routeTableId: number): number {
  return routeTableId > 1 ? routeTableId : mainTable;
}

/** The routing table of an ENI and whether its source rule is ours to add. */
export interface EniTableChoice {
  readonly table: number;
  readonly ownRule: boolean;
}

/**
 * Chooses the table of an ENI. On cards above 0 somebody else may have set it up: a single rule with the ENI's
 * primary address as its source decides; of several, one to the old table number; otherwise the number computed.
 */
export function chooseEniTable(
  slot: EniSlot,
  primaryAddress: IpAddress,
  rules: readonly Rule[],
  maxEnisPerCard: number,
): EniTableChoice {
  const computed = eniRouteTable(slot);
  if (slot.cardIndex === 0) return { table: computed, ownRule: true };
  const tables = rules
    .filter((rule) => rule.from?.base === primaryAddress && rule.table !== undefined)
    .map((rule) => rule.table as number);
  const [only] = tables;
  if (only === undefined) return { table: computed, ownRule: true };
  if (tables.length === 1) return { table: only, ownRule: false };
  const old = oldEniRouteTable(slot, maxEnisPerCard);
  return { table: tables.includes(old) ? old : computed, ownRule: false };
}
