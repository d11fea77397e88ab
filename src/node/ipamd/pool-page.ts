import type { EniView, PodKey, Pool } from "../../ipam/types.ts";

/** One address or block of a node, for `eniverse get addresses`. */
export interface PoolEntry {
  /** A single address; of a prefix that was never touched, the whole block ("10.0.1.16/28"). */
  readonly address: string;
  /** The block it is from. */
  readonly cidr: string;
  readonly eni: string;
  readonly deviceNumber: number;
  readonly card: number;
  readonly state: "primary" | "assigned" | "cooling" | "warm" | "excluded";
  /** Addresses that the entry stands for: more than 1 for the untouched rest of a prefix. */
  readonly count: number;
  readonly pod?: { readonly namespace: string; readonly name: string };
  readonly containerId?: string;
  /** RFC 3339. */
  readonly assignedAt?: string;
  /** When a cooling address may be used again; RFC 3339. */
  readonly readyAt?: string;
}

export interface PoolPage {
  readonly cards: readonly {
    readonly card: number;
    readonly mode: string;
    readonly total: number;
    readonly assigned: number;
    readonly cooling: number;
    readonly assignable: number;
    readonly prefixes: number;
  }[];
  readonly addresses: readonly PoolEntry[];
}

export function poolPage(pools: readonly Pool[], now: number): PoolPage {
  return {
    cards: pools.map((pool) => {
      const { total, assigned, cooling, assignable, prefixes } = pool.stats(now);
      return { card: pool.card, mode: pool.mode, total, assigned, cooling, assignable, prefixes };
    }),
    addresses: pools.flatMap((pool) => pool.enis().flatMap((eni) => eniEntries(pool, eni, now))),
  };
}

function eniEntries(pool: Pool, eni: EniView, now: number): PoolEntry[] {
  const place = { eni: eni.id, deviceNumber: eni.deviceNumber, card: pool.card };
  const own: PoolEntry[] =
    eni.primaryAddress === undefined
      ? []
      : [
          {
            ...place,
            address: eni.primaryAddress,
            cidr: `${eni.primaryAddress}/32`,
            state: "primary",
            count: 1,
          },
        ];
  const idle = eni.excluded ? "excluded" : "warm";
  return own.concat(
    eni.cidrs().flatMap((block): PoolEntry[] => {
      const touched = block.addresses().map((entry): PoolEntry => {
        const state = entry.state === "ready" ? idle : entry.state;
        return {
          ...place,
          address: entry.address,
          cidr: block.cidr,
          state,
          count: 1,
          ...(entry.metadata === undefined
            ? {}
            : { pod: { namespace: entry.metadata.namespace, name: entry.metadata.name } }),
          ...containerOf(entry.key),
          ...(state === "assigned" && entry.assignedAt !== undefined
            ? { assignedAt: new Date(entry.assignedAt).toISOString() }
            : {}),
          ...(state === "cooling"
            ? { readyAt: new Date((entry.releasedAt ?? now) + pool.cooldownMs).toISOString() }
            : {}),
        };
      });
      const rest = block.size - touched.length;
      if (rest <= 0) return touched;
      const address = block.prefix ? block.cidr : block.cidr.slice(0, block.cidr.indexOf("/"));
      return [...touched, { ...place, address, cidr: block.cidr, state: idle, count: rest }];
    }),
  );
}

function containerOf(key: PodKey | undefined): { containerId?: string } {
  return key === undefined ? {} : { containerId: key.containerId };
}
