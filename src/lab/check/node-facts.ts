import { hostVethName } from "../../hostnet/names.ts";
import { eniRouteTable, mainTable, rulePriority } from "../../hostnet/route-tables.ts";
import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import type { NodePicture, NodeRoute, NodeRule, Sandbox } from "./picture.ts";

/** Addresses that are given to pods, by card and then device. */
export function assignedIn(node: NodePicture): PoolEntry[] {
  return (node.pool?.addresses ?? [])
    .filter(({ state }) => state === "assigned")
    .sort((a, b) => a.card - b.card || a.deviceNumber - b.deviceNumber);
}

/** Addresses of one sandbox, the card with the lowest number first. */
export function assignedTo(node: NodePicture, sandbox: Sandbox): PoolEntry[] {
  return assignedIn(node).filter(({ containerId }) => containerId === sandbox.id);
}

/** A single address as a block: "10.0.1.17/32". */
export const blockOf = (address: string): string => `${address}/${address.includes(":") ? 128 : 32}`;

const isSingle = (block: string | undefined): boolean =>
  block !== undefined && /\/(32|128)$/.test(block) && (!block.includes(":") || block.endsWith("/128"));

/** Rules that ipamd's plugin makes for pods: to an address by main, and from it by its ENI's table. */
export const isPodRule = (rule: NodeRule): boolean =>
  (rule.priority === rulePriority.toPod && isSingle(rule.to)) ||
  (rule.priority === rulePriority.fromPod && isSingle(rule.from));

export function isPodDevice(node: NodePicture, device: string): boolean {
  const { vethPrefix } = node;
  return device.startsWith(vethPrefix) && /^[0-9a-f]{11}$/.test(device.slice(vethPrefix.length));
}

export const isPodRoute = (node: NodePicture, route: NodeRoute): boolean =>
  route.table === mainTable && isSingle(route.destination) && isPodDevice(node, route.device);

/** Names of the host's ends of a pod's veth pairs: one per address, at least one. */
export function vethsOf(node: NodePicture, sandbox: Sandbox, count: number): string[] {
  return Array.from({ length: Math.max(count, 1) }, (_, index) =>
    hostVethName(node.vethPrefix, sandbox.namespace, sandbox.name, index),
  );
}

/** The table by which a pod's packets leave; main for the primary ENI. */
export const tableOf = ({ card, deviceNumber }: PoolEntry): number =>
  eniRouteTable({ cardIndex: card, deviceIndex: deviceNumber });

export const nodeWord = (node: NodePicture): string => node.nodeName.split(".")[0] ?? node.nodeName;

export const podWord = ({ namespace, name }: { readonly namespace: string; readonly name: string }): string =>
  `${namespace}/${name}`;

export const describeRule = ({ priority, from, to, table }: NodeRule): string =>
  `${priority}: from ${from ?? "all"}${to === undefined ? "" : ` to ${to}`} lookup ${table ?? "-"}`;

/** What is in one list and not in the other. */
export function missingFrom<T>(wanted: Iterable<T>, have: Iterable<T>): T[] {
  const known = new Set(have);
  return [...wanted].filter((each) => !known.has(each));
}
