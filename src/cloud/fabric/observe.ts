import type { Cidr4, Cidr6 } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import { hasCode } from "../../base/error.ts";
import { Netns } from "../../linux/netns.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import type { Link, Route } from "../../linux/rtnetlink/values.ts";
import { isPortDevice, links } from "./names.ts";
import {
  type Hop,
  type IpAddress,
  mainTable,
  type Port,
  type RouterState,
  routeKey,
  ruleKey,
  rulePriority,
  type WantedRoute,
  type WantedRule,
} from "./wanted.ts";

/** A place as the fabric knows it. */
export interface KnownPlace {
  readonly path: string;
  /** Number of the network namespace. */
  readonly netns: number;
  /** The fabric gives the devices their addresses and routes. */
  readonly configure: boolean;
}

const aliasMark = "eni";

/** What the router's end of an ENI says about itself (`ip link` shows it), so that it can be taken over again. */
export function portAlias(port: Port): string {
  return [aliasMark, port.eniId, port.mac, port.place, port.guestDevice].join(" ");
}

/**
 * Reads the state of a router back from the kernel. Devices that cannot be told (half made, their place gone)
 * come out as ports that fit no ENI, so that a comparison takes them away. `unchecked` are the devices that the
 * ruleset takes out of the source check.
 */
export function observeRouter(
  rtnetlink: Rtnetlink,
  places: ReadonlyMap<string, KnownPlace>,
  unchecked: ReadonlySet<string>,
): RouterState {
  const deviceOf = new Map<number, Link>();
  for (const link of rtnetlink.links()) deviceOf.set(link.index, link);
  const kernelRoutes = rtnetlink.routes().filter((route) => route.type === "unicast" && isOurs(route));

  const blocks = new Map<string, Route[]>();
  const routes = new Map<string, WantedRoute>();
  for (const route of kernelRoutes) {
    const device = deviceOf.get(route.interfaceIndex ?? 0)?.name;
    if (device === undefined) continue;
    if (isPortDevice(device) && route.table === mainTable) {
      const own = blocks.get(device) ?? [];
      own.push(route);
      blocks.set(device, own);
      continue;
    }
    const hop = hopThrough(device);
    if (hop === undefined) continue;
    const found = { table: route.table, destination: route.destination, hop };
    routes.set(routeKey(found), found);
  }

  const guests = new Map<string, readonly Link[]>();
  const ports = new Map<string, Port>();
  for (const link of deviceOf.values()) {
    if (!isPortDevice(link.name)) continue;
    const sourceCheck = !unchecked.has(link.name);
    ports.set(link.name, {
      ...readPort(link, places, guests),
      sourceCheck,
      ...blocksIn(blocks.get(link.name) ?? []),
    });
  }
  return { ownAddresses: ownAddresses(rtnetlink), ports, routes, rules: ourRules(rtnetlink) };
}

/** Not what the kernel made by itself (link-local prefixes, the local table). */
function isOurs(route: Route): boolean {
  return route.table !== 255 && route.protocol !== 2;
}

function hopThrough(device: string): Hop | undefined {
  if (device === links.sink.device) return { kind: "sink" };
  if (device === links.routerToEdge.device) return { kind: "internet" };
  return isPortDevice(device) ? { kind: "port", device } : undefined;
}

type PortIdentity = Pick<Port, "device" | "eniId" | "mac" | "place" | "guestDevice" | "netns">;

/** What a port's alias says, if the other end really is where it says. */
function readPort(
  link: Link,
  places: ReadonlyMap<string, KnownPlace>,
  guests: Map<string, readonly Link[]>,
): PortIdentity {
  const [mark, eniId = "", mac = "", place = "", guestDevice = ""] = (link.alias ?? "").split(" ");
  const known = places.get(place);
  const unknown = {
    device: link.name,
    eniId: "",
    mac: parseMac("00:00:00:00:00:00"),
    place,
    guestDevice,
    netns: 0,
  };
  if (mark !== aliasMark || known === undefined || !link.up) return unknown;
  const there = guests.get(place) ?? linksIn(known.path);
  guests.set(place, there);
  // ipamd or a user may have renamed the guest's end; its index and MAC tell it.
  const guest = there.find((candidate) => candidate.index === link.peerIndex && candidate.mac === mac);
  if (guest === undefined) return unknown;
  return { device: link.name, eniId, mac: parseMac(mac), place, guestDevice, netns: known.netns };
}

function linksIn(netnsPath: string): readonly Link[] {
  try {
    using netns = Netns.open(netnsPath);
    using rtnetlink = Rtnetlink.open(netns);
    return rtnetlink.links();
  } catch (error) {
    if (hasCode(error, "not_found")) return [];
    throw error;
  }
}

/** The primary address is the one that needs no gateway. */
function blocksIn(
  routes: readonly Route[],
): Pick<Port, "addresses" | "prefixes" | "ipv6Addresses" | "ipv6Prefixes"> {
  const addresses: Ipv4[] = [];
  const prefixes: Cidr4[] = [];
  const ipv6Addresses: Ipv6[] = [];
  const ipv6Prefixes: Cidr6[] = [];
  for (const { destination, gateway } of routes) {
    if (destination.family === 4) {
      if (destination.bits < 32) prefixes.push(destination);
      else if (gateway === undefined) addresses.unshift(destination.base);
      else addresses.push(destination.base);
    } else if (destination.bits < 128) ipv6Prefixes.push(destination);
    else ipv6Addresses.push(destination.base);
  }
  return { addresses, prefixes, ipv6Addresses, ipv6Prefixes };
}

function ownAddresses(rtnetlink: Rtnetlink): IpAddress[] {
  const interfaceIndex = rtnetlink.indexOf("lo");
  return rtnetlink
    .addresses({ interfaceIndex })
    .filter((entry) => entry.scope !== "host")
    .map((entry) => entry.address);
}

function ourRules(rtnetlink: Rtnetlink): Map<string, WantedRule> {
  const priorities: ReadonlySet<number> = new Set(Object.values(rulePriority));
  const rules = new Map<string, WantedRule>();
  for (const family of [4, 6] as const) {
    for (const { priority, from, iif, table } of rtnetlink.rules(family)) {
      if (!priorities.has(priority) || table === undefined) continue;
      const rule: WantedRule = {
        family,
        priority,
        table,
        ...(from === undefined ? {} : { from }),
        ...(iif === undefined ? {} : { iif }),
      };
      rules.set(ruleKey(rule), rule);
    }
  }
  return rules;
}
