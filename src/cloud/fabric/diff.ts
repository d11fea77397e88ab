import type { Cidr } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import {
  hopKey,
  type IpAddress,
  type Port,
  type RouterState,
  type WantedRoute,
  type WantedRule,
} from "./wanted.ts";

/** What has to change in the router, in the order in which it is carried out. */
export interface RouterChanges {
  readonly removePorts: readonly Port[];
  readonly addAddresses: readonly IpAddress[];
  readonly addPorts: readonly Port[];
  /** New blocks come before old ones go, so that an address that moves between ENIs is never without a route. */
  readonly addBlocks: readonly PortBlock[];
  readonly removeBlocks: readonly PortBlock[];
  readonly addRoutes: readonly WantedRoute[];
  readonly removeRoutes: readonly WantedRoute[];
  readonly addRules: readonly WantedRule[];
  readonly removeRules: readonly WantedRule[];
  readonly removeAddresses: readonly IpAddress[];
  /** Devices without source check from now on; undefined when that list stays as it is. */
  readonly unchecked?: readonly string[];
}

/** An address (as /32 or /128) or prefix of an ENI. */
export interface PortBlock {
  readonly port: Port;
  readonly block: Cidr;
}

export const emptyRouter: RouterState = {
  ownAddresses: [],
  ports: new Map(),
  routes: new Map(),
  rules: new Map(),
};

/** Compares two states of the router; costs little where the same values come again. */
export function diffRouter(found: RouterState, wanted: RouterState): RouterChanges {
  const removePorts: Port[] = [];
  const addPorts: Port[] = [];
  const addBlocks: PortBlock[] = [];
  const removeBlocks: PortBlock[] = [];
  for (const [device, port] of found.ports) {
    const next = wanted.ports.get(device);
    if (next === undefined || !isSameDevice(port, next)) removePorts.push(port);
  }
  const remade = new Set<string>();
  for (const [device, port] of wanted.ports) {
    const before = found.ports.get(device);
    if (before === undefined || !isSameDevice(before, port)) {
      addPorts.push(port);
      remade.add(device);
      for (const block of blocksOf(port)) addBlocks.push({ port, block });
    } else if (before !== port) {
      for (const block of blocksBeyond(port, before)) addBlocks.push({ port, block });
      for (const block of blocksBeyond(before, port)) removeBlocks.push({ port: before, block });
    }
  }
  // Routes through a device go with it, so those through a remade port have to be made again.
  const kept = (route: WantedRoute): boolean => route.hop.kind !== "port" || !remade.has(route.hop.device);
  const addRoutes: WantedRoute[] = [];
  for (const [key, route] of wanted.routes) {
    const before = found.routes.get(key);
    if (before === undefined || hopKey(before.hop) !== hopKey(route.hop) || !kept(route))
      addRoutes.push(route);
  }
  const removeRoutes = valuesBeyond(found.routes, wanted.routes);
  const own = (state: RouterState): Map<IpAddress, IpAddress> =>
    new Map(state.ownAddresses.map((address) => [address, address]));
  const unchecked = uncheckedOf(wanted);
  return {
    removePorts,
    addAddresses: valuesBeyond(own(wanted), own(found)),
    addPorts,
    addBlocks,
    removeBlocks,
    addRoutes,
    removeRoutes,
    addRules: valuesBeyond(wanted.rules, found.rules),
    removeRules: valuesBeyond(found.rules, wanted.rules),
    removeAddresses: valuesBeyond(own(found), own(wanted)),
    ...(unchecked.join() === uncheckedOf(found).join() ? {} : { unchecked }),
  };
}

export function isEmpty(changes: RouterChanges): boolean {
  return changes.unchecked === undefined && Object.values(changes).every((list) => list?.length === 0);
}

/** Devices of ports without source check, sorted. */
export function uncheckedOf(state: RouterState): string[] {
  return [...state.ports.values()]
    .filter((port) => !port.sourceCheck)
    .map((port) => port.device)
    .sort();
}

function valuesBeyond<K, V>(of: ReadonlyMap<K, V>, beyond: ReadonlyMap<K, unknown>): V[] {
  const values: V[] = [];
  for (const [key, value] of of) if (!beyond.has(key)) values.push(value);
  return values;
}

/** False when the device has to be made anew: another place, name, MAC or next hop. */
function isSameDevice(a: Port, b: Port): boolean {
  return (
    a.eniId === b.eniId &&
    a.mac === b.mac &&
    a.place === b.place &&
    a.guestDevice === b.guestDevice &&
    a.netns === b.netns &&
    a.addresses[0] === b.addresses[0]
  );
}

/** True when nothing about the port has changed, whatever the order of its addresses. */
export function samePort(before: Port | undefined, port: Port): boolean {
  if (before === undefined || !isSameDevice(before, port)) return false;
  return blocksBeyond(port, before).length === 0 && blocksBeyond(before, port).length === 0;
}

const host4 = (base: Ipv4): Cidr => ({ family: 4, base, bits: 32 });
const host6 = (base: Ipv6): Cidr => ({ family: 6, base, bits: 128 });

/** Every block that is routed to a port, the primary address first. */
export function blocksOf(port: Port): Cidr[] {
  return [
    ...port.addresses.map(host4),
    ...port.prefixes,
    ...port.ipv6Addresses.map(host6),
    ...port.ipv6Prefixes,
  ];
}

/** Blocks of `port` that `other` has not. */
function blocksBeyond(port: Port, other: Port): Cidr[] {
  const inOrder = (a: readonly unknown[], b: readonly unknown[]): boolean =>
    a === b || (a.length === b.length && a.every((value, index) => value === b[index]));
  const addresses = <T extends IpAddress>(mine: readonly T[], theirs: readonly T[]): T[] => {
    if (inOrder(mine, theirs)) return [];
    const known = new Set(theirs);
    return mine.filter((address) => !known.has(address));
  };
  const prefixes = <T extends Cidr>(mine: readonly T[], theirs: readonly T[]): T[] => {
    if (mine === theirs || mine.length === 0) return [];
    return mine.filter((a) => !theirs.some((b) => a.base === b.base && a.bits === b.bits));
  };
  return [
    ...addresses(port.addresses, other.addresses).map(host4),
    ...prefixes(port.prefixes, other.prefixes),
    ...addresses(port.ipv6Addresses, other.ipv6Addresses).map(host6),
    ...prefixes(port.ipv6Prefixes, other.ipv6Prefixes),
  ];
}
