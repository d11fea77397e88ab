import type { NetworkInterface } from "@aws-sdk/client-ec2";
import { isInside, prefixesOf } from "../../lab/address-homes.ts";
import type { Answer } from "../output.ts";

/** What a node's ipamd says of one address that it has in its pool. */
export interface PooledAddress {
  readonly address: string;
  readonly state: "assigned" | "cooling" | "warm";
  /** "namespace/name" of the pod that has it, or had it last. */
  readonly pod?: string;
  /** Milliseconds since the epoch until which it may not be given out again. */
  readonly coolingUntil?: number;
}

/** One line of `get addresses`. */
export interface AddressRow {
  /** An address, or a prefix: "10.0.32.16/28". */
  readonly address: string;
  readonly eniId: string;
  readonly instanceId?: string;
  readonly node?: string;
  readonly subnetId: string;
  /** `held` is an address of an interface that no ipamd manages. */
  readonly state: "primary" | "assigned" | "warm" | "cooling" | "prefix" | "held";
  readonly pod?: string;
}

/** Joins what EC2 says of interfaces with what the nodes' ipamds say of addresses; both in one order. */
export function addressRows(
  enis: readonly NetworkInterface[],
  pools: ReadonlyMap<string, readonly PooledAddress[]>,
  nodeNames: ReadonlyMap<string, string>,
): AddressRow[] {
  return enis.flatMap((eni) => {
    const instanceId = eni.Attachment?.InstanceId;
    const node = instanceId === undefined ? undefined : nodeNames.get(instanceId);
    const pool = instanceId === undefined ? undefined : pools.get(instanceId);
    const common = {
      eniId: eni.NetworkInterfaceId ?? "-",
      subnetId: eni.SubnetId ?? "-",
      ...(instanceId === undefined ? {} : { instanceId }),
      ...(node === undefined ? {} : { node }),
    };
    const rowOf = (address: string, pooled: PooledAddress | undefined): AddressRow => ({
      address,
      ...common,
      state: pooled?.state ?? (pool === undefined ? "held" : "warm"),
      ...(pooled?.pod === undefined ? {} : { pod: pooled.pod }),
    });
    const singles = (eni.PrivateIpAddresses ?? []).map((entry): AddressRow => {
      const address = entry.PrivateIpAddress ?? "-";
      if (entry.Primary) return { address, ...common, state: "primary" };
      return rowOf(
        address,
        pool?.find((pooled) => pooled.address === address),
      );
    });
    // Single IPv6 addresses are the node's own: pods get theirs from a prefix.
    const own6 = (eni.Ipv6Addresses ?? []).map(({ Ipv6Address: address = "-" }): AddressRow => {
      return { address, ...common, state: "primary" };
    });
    const prefixes = prefixesOf(eni).flatMap((prefix) => [
      { address: prefix, ...common, state: "prefix" as const },
      ...(pool ?? [])
        .filter(({ address }) => isInside(prefix, address))
        .map((pooled) => rowOf(pooled.address, pooled)),
    ]);
    return [...singles, ...own6, ...prefixes];
  });
}

/** `get addresses`: every address and prefix of the VPC's interfaces, whose it is and what it is doing. */
export function addressesView(rows: readonly AddressRow[]): Answer {
  const counts = new Map<string, number>();
  for (const { state } of rows) counts.set(state, (counts.get(state) ?? 0) + 1);
  const line = (row: AddressRow): string[] => [
    row.address,
    row.state,
    row.pod ?? "-",
    row.eniId,
    row.node?.split(".")[0] ?? row.instanceId ?? "-",
  ];
  const columns = ["Address", "State", "Pod", "ENI", "Node"];
  const footers = [`* ${[...counts].map(([state, count]) => `${count} ${state}`).join(", ")}`];
  return {
    value: rows,
    table: { columns, rows: rows.map(line), footers },
    wide: {
      columns: [...columns, "Instance Id", "Subnet"],
      rows: rows.map((row) => [...line(row), row.instanceId ?? "-", row.subnetId]),
      footers,
    },
  };
}
