import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { EniverseError } from "../../base/error.ts";
import { type CniInterface, type CniIp, type CniResult, emptyResult } from "../../cni/result.ts";
import { containerVethName, dummyInterfaceName } from "../../hostnet/names.ts";
import type { PodInterface, PodRoute } from "../../hostnet/pod-network.ts";
import { eniRouteTable, podRouteTable } from "../../hostnet/route-tables.ts";
import { formatAddress } from "../../linux/rtnetlink/family.ts";
import type { IpAddress } from "../../linux/rtnetlink/values.ts";
import type { PodArgs } from "./netconf.ts";

/**
 * The result of aws-cni. Besides telling the runtime it carries what DEL needs when ipamd is away: the MAC of a
 * container interface is the number of its routing table, and an interface that is no device ("dummy…") has the
 * VLAN (0: an ordinary pod) as its MAC and the device number of the first address as its sandbox.
 */
export function podResult(
  pod: PodArgs,
  netns: string,
  interfaces: readonly PodInterface[],
  routeTableIds: readonly number[],
  deviceNumber: number,
): CniResult {
  return resultWith(pod, netns, interfaces, routeTableIds, { mac: "0", sandbox: String(deviceNumber) });
}

/** The result of a pod with a branch ENI: the VLAN takes the device number's place, and there is a gateway. */
export function branchResult(
  pod: PodArgs,
  netns: string,
  interfaces: readonly PodInterface[],
  routeTableIds: readonly number[],
  vlanId: number,
  gateway: string,
): CniResult {
  const result = resultWith(pod, netns, interfaces, routeTableIds, { mac: String(vlanId) });
  return { ...result, ips: result.ips.map((ip) => ({ ...ip, gateway })) };
}

function resultWith(
  pod: PodArgs,
  netns: string,
  interfaces: readonly PodInterface[],
  routeTableIds: readonly number[],
  dummy: Omit<CniInterface, "name">,
): CniResult {
  const listed: CniInterface[] = [];
  const ips: CniIp[] = [];
  for (const [position, made] of interfaces.entries()) {
    const table = routeTableIds[position] ?? made.routeTable;
    listed.push({ name: made.hostName });
    listed.push({ name: made.containerName, mac: String(table), sandbox: netns });
    ips.push({ interface: listed.length - 1, address: withLength(made.address) });
  }
  listed.push({ name: dummyInterfaceName(pod.namespace, pod.name), ...dummy });
  return { ...emptyResult, interfaces: listed, ips };
}

function withLength(address: IpAddress): string {
  return `${formatAddress(address)}/${typeof address === "number" ? 32 : 128}`;
}

/** The interface that carries the VLAN and device number of a pod; undefined when the result has none. */
export function dummyInterface(result: CniResult, pod: PodArgs): CniInterface | undefined {
  const name = dummyInterfaceName(pod.namespace, pod.name);
  return result.interfaces.find((candidate) => candidate.name === name);
}

/**
 * The addresses of an ordinary pod and their tables, from the result of its ADD; undefined when the result is
 * not one of an ordinary pod. Results before 1.20 have no table: it follows from the device number then.
 */
export function routesOfResult(result: CniResult, pod: PodArgs, ifName: string): PodRoute[] | undefined {
  const dummy = dummyInterface(result, pod);
  const device = decimal(dummy?.sandbox);
  if (decimal(dummy?.mac) !== 0 || device === undefined) return undefined;
  const count = Math.floor((result.interfaces.length - 1) / 2);
  const routes: PodRoute[] = [];
  for (let index = 0; index < count; index++) {
    // egress-cni appends two interfaces of its own, so there may be fewer than counted.
    const found = interfaceAddress(result, containerVethName(ifName, index));
    if (found === undefined) continue;
    const table = decimal(found.container.mac);
    const routeTable =
      table === undefined ? eniRouteTable({ cardIndex: 0, deviceIndex: device }) : podRouteTable(table);
    routes.push({ address: found.address, routeTable });
  }
  return routes;
}

function interfaceAddress(
  result: CniResult,
  name: string,
): { container: CniInterface; address: IpAddress } | undefined {
  const index = result.interfaces.findIndex(
    (candidate) => candidate.name === name && (candidate.sandbox ?? "") !== "",
  );
  const container = result.interfaces[index];
  const ips = result.ips.filter((ip) => ip.interface === index);
  const [ip] = ips;
  if (container === undefined || ip === undefined || ips.length !== 1) return undefined;
  return { container, address: parseAddress(ip.address.split("/", 1)[0] ?? "") };
}

/** The address of a pod with a branch ENI; throws unless the result has exactly one. */
export function branchAddress(result: CniResult, ifName: string): IpAddress {
  const found = interfaceAddress(result, ifName);
  if (found !== undefined) return found.address;
  throw new EniverseError("invalid_argument", {
    attempted: "read the pod's address from prevResult",
    found: `not exactly one for the interface ${ifName}`,
    wanted: "one address",
  });
}

/** Reads an address of either family; throws `invalid_argument`. */
export function parseAddress(text: string): IpAddress {
  return tryParseIpv4(text) ?? parseIpv6(text);
}

/** A decimal integer, or undefined for any other text. */
export function decimal(value: string | undefined): number | undefined {
  return value !== undefined && /^[+-]?\d+$/.test(value) ? Number(value) : undefined;
}
