import { errno } from "../errno.ts";
import { hostIsLittleEndian as le, viewOf } from "../netlink/align.ts";
import { AttributeDecoder, AttributeEncoder } from "../netlink/attribute.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import {
  addressBytes,
  afOf,
  cidrOf,
  describeCidr,
  familyOf,
  familyOfAf,
  formatAddress,
  readAddress,
} from "./family.ts";
import { addRequest, listRequest, plainRequest, replaceRequest } from "./request.ts";
import { routeTypeName, routeTypeNumber, scopeName, scopeNumber } from "./scope.ts";
import {
  type IpAddress,
  type NextHop,
  type Route,
  type RouteFilter,
  type RouteMatch,
  type RouteSpec,
  routeProtocol,
  routeTable,
  type Scope,
  type Tolerance,
} from "./values.ts";

/** <linux/rtnetlink.h> */
export const routeMessage = { new: 24, delete: 25, get: 26 } as const;

/**
 * struct rtmsg: __u8 family, dst_len, src_len, tos, table, protocol, scope, type; __u32 flags.
 */
const rtmsgLength = 12;
const RTNH_F_ONLINK = 4;
/** RTM_F_CLONED: an entry of the exception cache, as path MTU discovery makes them; not a route. */
const RTM_F_CLONED = 0x200;

/** enum rtattr_type_t */
const rta = {
  destination: 1,
  oif: 4,
  gateway: 5,
  priority: 6,
  preferredSource: 7,
  metrics: 8,
  multipath: 9,
  table: 15,
  via: 18,
} as const;
/** RTAX_MTU */
const metricMtu = 2;
/** struct rtnexthop: __u16 len, __u8 flags, __u8 hops (weight - 1), __s32 ifindex. */
const nextHopLength = 8;

export function addRouteRequest(spec: RouteSpec, options?: Tolerance): NetlinkRequest {
  return addRequest(
    { attempted: `add the route ${describe(spec)}`, type: routeMessage.new, body: encodeRoute(spec, "add") },
    options,
  );
}

/** Replaces the route with the same destination, table and metric, or adds one. */
export function replaceRouteRequest(spec: RouteSpec): NetlinkRequest {
  return replaceRequest({
    attempted: `replace the route ${describe(spec)}`,
    type: routeMessage.new,
    body: encodeRoute(spec, "add"),
  });
}

export function deleteRouteRequest(match: RouteMatch, options?: Tolerance): NetlinkRequest {
  return plainRequest(
    {
      attempted: `delete the route ${describe(match)}`,
      type: routeMessage.delete,
      body: encodeRoute(match, "delete"),
    },
    options,
  );
}

function describe(route: RouteSpec): string {
  let text = describeCidr(route.destination);
  if (route.type !== undefined && route.type !== "unicast") text = `${route.type} ${text}`;
  if (route.gateway !== undefined) text += ` via ${formatAddress(route.gateway)}`;
  if (route.interfaceIndex !== undefined) text += ` through device ${route.interfaceIndex}`;
  return `${text} in table ${route.table ?? routeTable.main}`;
}

/** The body, its attributes in the order of `ip route`. */
function encodeRoute(route: RouteSpec, purpose: "add" | "delete"): Uint8Array {
  const body = new AttributeEncoder();
  const { destination, gateway } = route;
  const table = route.table ?? routeTable.main;
  const adding = purpose === "add";
  const view = body.struct(rtmsgLength);
  view.setUint8(0, afOf(destination.family));
  view.setUint8(1, destination.bits);
  // The header has only 8 bits for the table; larger numbers go into an attribute.
  view.setUint8(4, table < 256 ? table : 0);
  view.setUint8(5, route.protocol ?? (adding ? routeProtocol.boot : 0));
  view.setUint8(6, scopeNumber(route.scope ?? usualScope(route, purpose)));
  const type = route.type ?? (adding ? "unicast" : undefined);
  view.setUint8(7, type === undefined ? 0 : routeTypeNumber(type));
  view.setUint32(8, route.onlink ? RTNH_F_ONLINK : 0, le);

  if (destination.bits > 0) body.bytes(rta.destination, addressBytes(destination.base));
  if (gateway !== undefined) {
    if (familyOf(gateway) === destination.family) body.bytes(rta.gateway, addressBytes(gateway));
    else body.bytes(rta.via, viaBytes(gateway));
  }
  if (route.source !== undefined) body.bytes(rta.preferredSource, addressBytes(route.source));
  if (table > 255) body.u32(rta.table, table);
  if (route.metric !== undefined) body.u32(rta.priority, route.metric);
  if (route.interfaceIndex !== undefined) body.u32(rta.oif, route.interfaceIndex);
  const { mtu } = route;
  if (mtu !== undefined) body.nested(rta.metrics, () => body.u32(metricMtu, mtu));
  return body.finish();
}

/** As `ip route`: on deletion "nowhere" matches every scope; IPv6 routes have no scope. */
function usualScope(route: RouteSpec, purpose: "add" | "delete"): Scope {
  if (route.destination.family === 6) return "universe";
  if (purpose === "delete") return "nowhere";
  if (route.type === "local") return "host";
  if (route.type === "broadcast" || route.type === "multicast" || route.type === "anycast") return "link";
  const unicast = route.type === undefined || route.type === "unicast";
  return unicast && route.gateway === undefined ? "link" : "universe";
}

/** struct rtvia: __u16 family, then the address. */
function viaBytes(gateway: IpAddress): Uint8Array {
  const address = addressBytes(gateway);
  const bytes = new Uint8Array(2 + address.length);
  viewOf(bytes).setUint16(0, afOf(familyOf(gateway)), le);
  bytes.set(address, 2);
  return bytes;
}

/** The kernel filters (strict checking): table, device, protocol and type of routes of one or both families. */
export function listRoutesRequest(filter: RouteFilter = {}): NetlinkRequest {
  const body = new AttributeEncoder();
  const view = body.struct(rtmsgLength);
  view.setUint8(0, afOf(filter.family));
  view.setUint8(5, filter.protocol ?? 0);
  view.setUint8(7, filter.type === undefined ? 0 : routeTypeNumber(filter.type));
  if (filter.table !== undefined) body.u32(rta.table, filter.table);
  if (filter.interfaceIndex !== undefined) body.u32(rta.oif, filter.interfaceIndex);
  // ENOENT: no route was ever put into that table.
  return { ...listRequest("list routes", routeMessage.get, body.finish()), tolerated: [errno.ENOENT] };
}

/**
 * Reads an RTM_NEWROUTE; undefined when it is not an IP route of a known type or a cache entry. Throws
 * `corrupted`.
 */
export function decodeRoute(body: Uint8Array): Route | undefined {
  const attributes = new AttributeDecoder(body, rtmsgLength, "a route");
  attributes.finish();
  const view = viewOf(body);
  const family = familyOfAf(view.getUint8(0));
  const type = routeTypeName(view.getUint8(7));
  const flags = view.getUint32(8, le);
  if (family === undefined || type === undefined || (flags & RTM_F_CLONED) !== 0) return undefined;
  let table = view.getUint8(4);
  let destination: IpAddress | undefined;
  const more: {
    gateway?: IpAddress;
    interfaceIndex?: number;
    source?: IpAddress;
    metric?: number;
    mtu?: number;
    nextHops?: NextHop[];
  } = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case rta.destination:
        destination = readAddress(attributes);
        break;
      case rta.gateway:
        more.gateway = readAddress(attributes);
        break;
      case rta.via:
        more.gateway = readAddress(attributes, undefined, 2);
        break;
      case rta.preferredSource:
        more.source = readAddress(attributes);
        break;
      case rta.oif:
        more.interfaceIndex = attributes.u32();
        break;
      case rta.priority:
        more.metric = attributes.u32();
        break;
      case rta.table:
        table = attributes.u32();
        break;
      case rta.metrics: {
        const metrics = attributes.nested();
        while (metrics.next()) if (metrics.type === metricMtu) more.mtu = metrics.u32();
        break;
      }
      case rta.multipath:
        more.nextHops = readNextHops(attributes);
        break;
    }
  }
  attributes.finish();
  return {
    family,
    destination: cidrOf(family, destination, view.getUint8(1)),
    type,
    table,
    protocol: view.getUint8(5),
    scope: scopeName(view.getUint8(6)),
    onlink: (flags & RTNH_F_ONLINK) !== 0,
    ...more,
  };
}

function readNextHops(attributes: AttributeDecoder): NextHop[] {
  const bytes = attributes.bytes();
  const view = viewOf(bytes);
  const hops: NextHop[] = [];
  for (let offset = 0; offset + nextHopLength <= bytes.length; ) {
    const length = view.getUint16(offset, le);
    if (length < nextHopLength || offset + length > bytes.length) {
      attributes.reject(`a next hop of ${length} bytes`);
      break;
    }
    const inner = new AttributeDecoder(bytes.subarray(offset, offset + length), nextHopLength, "a next hop");
    let gateway: IpAddress | undefined;
    while (inner.next()) {
      if (inner.type === rta.gateway) gateway = readAddress(inner);
      else if (inner.type === rta.via) gateway = readAddress(inner, undefined, 2);
    }
    inner.finish();
    hops.push({
      interfaceIndex: view.getInt32(offset + 4, le),
      weight: view.getUint8(offset + 3) + 1,
      ...(gateway === undefined ? {} : { gateway }),
    });
    offset += (length + 3) & ~3;
  }
  return hops;
}
