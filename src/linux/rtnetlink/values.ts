import type { Cidr } from "../../addr/cidr.ts";
import type { Ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import type { Mac } from "../../addr/mac.ts";
import type { Netns } from "../netns.ts";

/** An address of either family: IPv4 is a number, IPv6 a bigint, so `typeof` tells them apart. */
export type IpAddress = Ipv4 | Ipv6;

export type Family = 4 | 6;

/** What a change may find without that being a failure. */
export interface Tolerance {
  /** "exists": what was to be added is there. "absent": what was to be deleted is not. */
  readonly tolerate?: "exists" | "absent";
}

/** A network device as the kernel lists it. */
export interface Link {
  readonly index: number;
  readonly name: string;
  /** Absent on devices without Ethernet addresses. The loopback device has 00:00:00:00:00:00. */
  readonly mac?: Mac;
  readonly mtu: number;
  /** Administratively up (IFF_UP). */
  readonly up: boolean;
  /** Up and with a carrier (IFF_LOWER_UP). */
  readonly carrier: boolean;
  readonly loopback: boolean;
  /** "veth", "macvlan" …; absent on devices without a kind, as `lo` or hardware. */
  readonly kind?: string;
  /** Index of the other end of a veth or of the parent of a macvlan; it may be in another namespace. */
  readonly peerIndex?: number;
  /** Set when the peer is in another namespace (the kernel's id of it); -1 when that has no id here. */
  readonly peerNetnsId?: number;
  readonly txQueueLength?: number;
  readonly alias?: string;
}

/** One end of a new device. */
export interface NewLinkEnd {
  readonly name: string;
  /** Random when absent. */
  readonly mac?: Mac;
  /** The kernel's default (1500) when absent. */
  readonly mtu?: number;
  /** Brought up as part of the creation. */
  readonly up?: boolean;
  /** Where the end is made; the namespace of the socket when absent. */
  readonly netns?: Netns;
  /** Asks for this index; the kernel picks one when absent. */
  readonly index?: number;
  readonly txQueueLength?: number;
  /** Transmit and receive queues; the kernel's default, one for each possible processor, when absent. */
  readonly queues?: number;
}

/** A veth pair: the end itself and its peer, each with its own name, MAC, MTU and namespace. */
export interface VethSpec extends NewLinkEnd {
  readonly peer: NewLinkEnd;
}

export interface MacvlanSpec extends NewLinkEnd {
  /** Index of the parent in the namespace of the socket. */
  readonly parentIndex: number;
  readonly mode: "private" | "vepa" | "bridge" | "passthru";
}

/** Indexes of a new veth pair, each as seen in the namespace of its end. */
export interface NewVeth {
  readonly index: number;
  readonly peerIndex: number;
}

/** What to change on a link; absent fields stay as they are. */
export interface LinkChanges {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly name?: string;
  readonly mac?: Mac;
  readonly txQueueLength?: number;
  /** Moves the link there; its addresses and routes are lost. */
  readonly netns?: Netns;
  readonly alias?: string;
  /** A number that devices may share, to be treated together; 0 is the group of all others. */
  readonly group?: number;
  /**
   * Largest segment in bytes that TCP hands to the device and takes from it (GSO and GRO, both families); above
   * 65536 is "BIG TCP", IPv6 since Linux 5.19, IPv4 since 6.3. Before that the attributes are refused or ignored.
   */
  readonly largestSegment?: number;
}

export type Scope = "universe" | "site" | "link" | "host" | "nowhere";

/** An address of a link as the kernel lists it. */
export interface InterfaceAddress {
  readonly family: Family;
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  /** Prefix length. */
  readonly bits: number;
  readonly scope: Scope;
  /** The other end of a point-to-point address; absent when it equals `address`. */
  readonly peer?: IpAddress;
  readonly broadcast?: Ipv4;
  readonly label?: string;
  /** Duplicate address detection is under way (IPv6). */
  readonly tentative: boolean;
  /** Duplicate address detection found the address in use (IPv6). */
  readonly dadFailed: boolean;
  readonly permanent: boolean;
  /** True when the address made no route of its prefix (IFA_F_NOPREFIXROUTE). */
  readonly noPrefixRoute: boolean;
}

export interface AddressSpec {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  /** Prefix length. */
  readonly bits: number;
  /** "host" for 127.0.0.0/8, otherwise "universe", when absent. */
  readonly scope?: Scope;
  readonly peer?: IpAddress;
  readonly broadcast?: Ipv4;
  readonly label?: string;
  /** Does not make the route of the prefix. */
  readonly noPrefixRoute?: boolean;
  /** Usable at once, without duplicate address detection (IPv6). */
  readonly noDad?: boolean;
}

export interface AddressFilter {
  readonly family?: Family;
  readonly interfaceIndex?: number;
}

export type RouteType =
  | "unicast"
  | "local"
  | "broadcast"
  | "anycast"
  | "multicast"
  | "blackhole"
  | "unreachable"
  | "prohibit"
  | "throw";

/** Table numbers that the kernel gives a meaning (rt_class_t). */
export const routeTable = { default: 253, main: 254, local: 255 } as const;

/** Who made a route (rtm_protocol). */
export const routeProtocol = { redirect: 1, kernel: 2, boot: 3, static: 4, ra: 9 } as const;

export interface RouteSpec {
  /** 0.0.0.0/0 or ::/0 is the default route. */
  readonly destination: Cidr;
  /** "unicast" when absent. */
  readonly type?: RouteType;
  /** {@link routeTable}`.main` when absent. */
  readonly table?: number;
  /** {@link routeProtocol}`.boot` when absent, as `ip route` does. */
  readonly protocol?: number;
  /** When absent as `ip route`: local → "host"; IPv4 unicast without gateway → "link"; else "universe". */
  readonly scope?: Scope;
  /** May be of the other family (RTA_VIA). */
  readonly gateway?: IpAddress;
  readonly interfaceIndex?: number;
  /** Preferred source address. */
  readonly source?: IpAddress;
  /** Takes the gateway for reachable though no route of the device covers it. */
  readonly onlink?: boolean;
  /** Lower wins; IPv6 turns 0 into 1024. */
  readonly metric?: number;
  /** MTU towards the destination. */
  readonly mtu?: number;
}

/** A route as the kernel lists it; every field that a {@link RouteSpec} may leave out is filled in. */
export interface Route extends RouteSpec {
  readonly family: Family;
  readonly type: RouteType;
  readonly table: number;
  readonly protocol: number;
  readonly scope: Scope;
  readonly onlink: boolean;
  /** The next hops of a multipath route; `gateway` and `interfaceIndex` are absent then. */
  readonly nextHops?: readonly NextHop[];
}

export interface NextHop {
  readonly interfaceIndex: number;
  readonly gateway?: IpAddress;
  readonly weight: number;
}

/** What to delete; fields that are absent match anything, and the kernel deletes the first that fits. */
export interface RouteMatch {
  readonly destination: Cidr;
  /** {@link routeTable}`.main` when absent. */
  readonly table?: number;
  readonly type?: RouteType;
  readonly protocol?: number;
  readonly scope?: Scope;
  readonly gateway?: IpAddress;
  readonly interfaceIndex?: number;
  readonly source?: IpAddress;
  readonly metric?: number;
}

export interface RouteFilter {
  readonly family?: Family;
  readonly table?: number;
  readonly interfaceIndex?: number;
  readonly protocol?: number;
  readonly type?: RouteType;
}

export type RuleAction = "lookup" | "nop" | "blackhole" | "unreachable" | "prohibit";

/** A policy rule; what is absent matches anything. */
export interface RuleSpec {
  readonly family: Family;
  /** The kernel picks one below the lowest when absent. */
  readonly priority?: number;
  readonly from?: Cidr;
  readonly to?: Cidr;
  /** Name of the incoming device ("lo": made on this machine). */
  readonly iif?: string;
  /** Name of the outgoing device that a socket is bound to. */
  readonly oif?: string;
  readonly fwmark?: number;
  /** All bits when absent and `fwmark` is given. */
  readonly fwmask?: number;
  /** "lookup" when absent. */
  readonly action?: RuleAction;
  /** Table of "lookup". */
  readonly table?: number;
  /** IP protocol number: 6 TCP, 17 UDP, 58 ICMPv6. */
  readonly ipProtocol?: number;
  /** Matches what the other fields do not. */
  readonly invert?: boolean;
  /** Turns a found route away when its prefix length is this or less. */
  readonly suppressPrefixLength?: number;
  /** Who made the rule (rtm_protocol); 0, unknown, when absent, as `ip rule` does. */
  readonly protocol?: number;
}

/** A rule as the kernel lists it. */
export interface Rule extends RuleSpec {
  readonly priority: number;
  readonly action: RuleAction;
  readonly protocol: number;
}

export type NeighbourState =
  | "none"
  | "incomplete"
  | "reachable"
  | "stale"
  | "delay"
  | "probe"
  | "failed"
  | "noarp"
  | "permanent";

export interface NeighbourSpec {
  readonly interfaceIndex: number;
  readonly address: IpAddress;
  /** Needed unless `proxy`. */
  readonly mac?: Mac;
  /** "permanent" when absent. */
  readonly state?: NeighbourState;
  /** Answers ARP or neighbour solicitations for the address (needs proxy_ndp for IPv6). */
  readonly proxy?: boolean;
}

export interface Neighbour extends NeighbourSpec {
  readonly family: Family;
  readonly state: NeighbourState;
  readonly proxy: boolean;
}

export interface NeighbourFilter {
  readonly family?: Family;
  readonly interfaceIndex?: number;
  /** Lists proxy entries instead of learnt and permanent ones. */
  readonly proxy?: boolean;
}
