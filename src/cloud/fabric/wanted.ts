import {
  type Cidr,
  type Cidr4,
  type Cidr6,
  cidrContains,
  cidrsOverlap,
  formatCidr,
} from "../../addr/cidr.ts";
import { type Ipv4, ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../../addr/ipv6.ts";
import type { Mac } from "../../addr/mac.ts";
import { EniverseError } from "../../base/error.ts";
import { insideTable, outsideTable, portDevice } from "./names.ts";
import type { FabricEni, FabricRoute, FabricSpec, FabricSubnet } from "./spec.ts";

export type IpAddress = Ipv4 | Ipv6;
export type Family = 4 | 6;

/** What the router namespace has to be, beyond what it has from its making. Device names stand for devices. */
export interface RouterState {
  /** Addresses at which the router itself answers: subnet gateways and link-local services. */
  readonly ownAddresses: readonly IpAddress[];
  /** By device name. */
  readonly ports: ReadonlyMap<string, Port>;
  /** Routes other than those to the addresses of ports; by {@link routeKey}. */
  readonly routes: ReadonlyMap<string, WantedRoute>;
  /** By {@link ruleKey}. */
  readonly rules: ReadonlyMap<string, WantedRule>;
}

/** The router's end of an attached ENI, and the ENI's end in its place. */
export interface Port {
  readonly device: string;
  readonly eniId: string;
  readonly mac: Mac;
  readonly place: string;
  readonly guestDevice: string;
  /** Number of the place's network namespace: a machine that was rebooted has another one. */
  readonly netns: number;
  readonly sourceCheck: boolean;
  /** The primary address first. */
  readonly addresses: readonly Ipv4[];
  readonly prefixes: readonly Cidr4[];
  readonly ipv6Addresses: readonly Ipv6[];
  readonly ipv6Prefixes: readonly Cidr6[];
}

export interface WantedRoute {
  readonly destination: Cidr;
  /** 254 is the main table. */
  readonly table: number;
  readonly hop: Hop;
}

/** Where a route leads: through a port to its ENI, to the internet gateway, or to the sink. */
export type Hop =
  | { readonly kind: "port"; readonly device: string }
  | { readonly kind: "internet" }
  | { readonly kind: "sink" };

export interface WantedRule {
  readonly family: Family;
  readonly priority: number;
  readonly from?: Cidr;
  readonly iif?: string;
  readonly table: number;
}

/** Order in which the router looks up a packet's way; the kernel has local at 0 and main at 32766. */
export const rulePriority = {
  /** Routes more specific than the VPC's own blocks. */
  inside: 100,
  /** ENIs without source check send from any address, so their subnet is known by the device only. */
  outsideByDevice: 33000,
  /** Everything else is known by its source, which the source check has vouched for. */
  outsideBySource: 33001,
  unrouted: 33100,
} as const;

export const mainTable = 254;
/** Has one route per family: everything to the sink. */
export const unroutedTable = 4000;

/** Answered at the router: metadata, DNS, and the EC2 and EKS endpoint. */
const serviceAddresses: readonly IpAddress[] = [
  parseIpv4("169.254.169.254"),
  parseIpv4("169.254.169.253"),
  parseIpv4("169.254.169.249"),
  parseIpv6("fd00:ec2::254"),
  parseIpv6("fd00:ec2::253"),
];

const everything4: Cidr4 = { family: 4, base: ipv4(0), bits: 0 };
const everything6: Cidr6 = { family: 6, base: 0n as Ipv6, bits: 0 };

/** The subnet's router: base + 1. */
export function gatewayOf(subnet: Cidr4): Ipv4 {
  return ipv4(subnet.base + 1);
}

export function primaryOf(port: Port): Ipv4 {
  const [primary] = port.addresses;
  if (primary === undefined) throw badSpec(`${port.eniId} without an IPv4 address`);
  return primary;
}

/** The one key of a route: the router has one route per table and destination. */
export const routeKey = (route: { readonly table: number; readonly destination: Cidr }): string =>
  `${route.table} ${formatCidr(route.destination)}`;

export const ruleKey = (rule: WantedRule): string =>
  `${rule.family} ${rule.priority} ${rule.from ? formatCidr(rule.from) : (rule.iif ?? "")} ${rule.table}`;

export const hopKey = (hop: Hop): string => (hop.kind === "port" ? `port ${hop.device}` : hop.kind);

/**
 * The wanted state of the router. `places` are the places that exist, with the numbers of their network
 * namespaces; an ENI whose place is not among them waits, as if it were detached. Throws `invalid_argument` when
 * the specification contradicts itself.
 */
export function wantedRouter(spec: FabricSpec, places: ReadonlyMap<string, number>): RouterState {
  const subnets = new Map(spec.subnets.map((subnet) => [subnet.subnetId, subnet]));
  const ports = wantedPorts(spec, subnets, places);
  const routes = new Map<string, WantedRoute>();
  const rules = new Map<string, WantedRule>();
  const addRoute = (table: number, destination: Cidr, hop: Hop): void => {
    const route = { table, destination, hop };
    routes.set(routeKey(route), route);
  };
  const addRule = (rule: WantedRule): void => void rules.set(ruleKey(rule), rule);

  for (const cidr of spec.vpcCidrs) addRoute(mainTable, cidr, { kind: "sink" });
  addRoute(unroutedTable, everything4, { kind: "sink" });
  addRoute(unroutedTable, everything6, { kind: "sink" });
  addRule({ family: 4, priority: rulePriority.unrouted, table: unroutedTable });
  addRule({ family: 6, priority: rulePriority.unrouted, table: unroutedTable });

  for (const subnet of spec.subnets) {
    const inside = insideTable(subnet.subnetId);
    const outside = outsideTable(subnet.subnetId);
    for (const route of subnet.routes) {
      const table = isInsideVpc(spec, route) ? inside : outside;
      addRoute(table, route.destination, hopOf(spec, ports, route));
    }
    const families = (within: boolean): Set<Family> =>
      new Set(
        subnet.routes
          .filter((route) => isInsideVpc(spec, route) === within)
          .map((route) => route.destination.family),
      );
    const devices = spec.enis
      .filter((eni) => eni.subnetId === subnet.subnetId)
      .map((eni) => ports.get(portDevice(eni.eniId)))
      .filter((port) => port !== undefined);
    for (const family of families(true)) {
      for (const { device } of devices)
        addRule({ family, priority: rulePriority.inside, iif: device, table: inside });
    }
    for (const family of families(false)) {
      for (const { device, sourceCheck } of devices) {
        if (!sourceCheck)
          addRule({ family, priority: rulePriority.outsideByDevice, iif: device, table: outside });
      }
      const from = family === 4 ? subnet.cidr : subnet.ipv6;
      if (from !== undefined)
        addRule({ family, priority: rulePriority.outsideBySource, from, table: outside });
    }
  }
  // Gateways first: the kernel answers traceroutes from a router's first address.
  const gateways = spec.subnets.map((subnet) => gatewayOf(subnet.cidr));
  return { ownAddresses: [...gateways, ...serviceAddresses], ports, routes, rules };
}

function wantedPorts(
  spec: FabricSpec,
  subnets: ReadonlyMap<string, FabricSubnet>,
  places: ReadonlyMap<string, number>,
): Map<string, Port> {
  const natPlaces = new Map(spec.natGateways.map((nat) => [nat.eniId, natPlace(nat.natGatewayId)]));
  const ports = new Map<string, Port>();
  for (const eni of spec.enis) {
    checkEni(eni, subnets);
    const nat = natPlaces.get(eni.eniId);
    const place = nat ?? eni.place?.place;
    const netns = place === undefined ? undefined : places.get(place);
    if (place === undefined || netns === undefined) continue;
    const device = portDevice(eni.eniId);
    const taken = ports.get(device);
    if (taken !== undefined)
      throw badSpec(`two ENIs for the device ${device}: ${taken.eniId} and ${eni.eniId}`);
    ports.set(device, {
      device,
      eniId: eni.eniId,
      mac: eni.mac,
      place,
      guestDevice: nat === undefined ? (eni.place?.device ?? "eth0") : "eth0",
      netns,
      // A NAT gateway sends what others sent to it, so its ENI has no check, as in AWS.
      sourceCheck: eni.sourceDestCheck && nat === undefined,
      addresses: eni.addresses,
      prefixes: eni.prefixes,
      ipv6Addresses: eni.ipv6Addresses,
      ipv6Prefixes: eni.ipv6Prefixes,
    });
  }
  return ports;
}

/** Key of the place of a NAT gateway, which the fabric makes itself. */
export const natPlace = (natGatewayId: string): string => `nat/${natGatewayId}`;

function checkEni(eni: FabricEni, subnets: ReadonlyMap<string, FabricSubnet>): void {
  if (eni.addresses.length === 0) throw badSpec(`${eni.eniId} without an IPv4 address`);
  if (!subnets.has(eni.subnetId))
    throw badSpec(`${eni.eniId} in the subnet ${eni.subnetId}, which is not there`);
}

function badSpec(found: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: "make the packet plane of the VPC", found });
}

/** True for routes that are more specific than the VPC's own local routes, and so win over them. */
export function isInsideVpc(spec: FabricSpec, route: FabricRoute): boolean {
  return spec.vpcCidrs.some((cidr) => cidrContains(cidr, route.destination));
}

function hopOf(spec: FabricSpec, ports: ReadonlyMap<string, Port>, route: FabricRoute): Hop {
  const sink: Hop = { kind: "sink" };
  const { target, destination } = route;
  const portOf = (eniId: string): Hop => {
    const port = ports.get(portDevice(eniId));
    // The destination check: an ENI that has it on takes nothing that is not its own.
    return port === undefined || port.sourceCheck ? sink : { kind: "port", device: port.device };
  };
  switch (target.kind) {
    case "internet-gateway":
      return spec.internetGateway ? { kind: "internet" } : sink;
    case "egress-only-internet-gateway":
      return spec.egressOnlyInternetGateway && destination.family === 6 ? { kind: "internet" } : sink;
    case "nat-gateway": {
      const nat = spec.natGateways.find((gateway) => gateway.natGatewayId === target.natGatewayId);
      return nat === undefined || destination.family === 6 ? sink : portOf(nat.eniId);
    }
    case "eni":
      return portOf(target.eniId);
    case "blackhole":
      return sink;
  }
}

/** What the internet gateway translates and lets in. */
export interface EdgeState {
  readonly vpcCidrs: readonly Cidr[];
  /** Private address to public address, one to one. */
  readonly publicOf: ReadonlyMap<Ipv4, Ipv4>;
  /** IPv6 blocks that can be reached from outside: those of subnets with a route to the internet gateway. */
  readonly reachable6: readonly Cidr6[];
}

export function wantedEdge(spec: FabricSpec): EdgeState {
  const open = spec.internetGateway;
  const publicOf = new Map<Ipv4, Ipv4>();
  for (const eni of open ? spec.enis : []) {
    for (const one of eni.publicAddresses ?? []) publicOf.set(one.privateAddress, one.publicAddress);
  }
  const toGateway = (subnet: FabricSubnet): boolean =>
    subnet.routes.some(
      ({ destination, target }) => destination.family === 6 && target.kind === "internet-gateway",
    );
  const reachable6 = spec.subnets
    .filter((subnet) => open && toGateway(subnet))
    .map((subnet) => subnet.ipv6)
    .filter((cidr) => cidr !== undefined);
  return { vpcCidrs: spec.vpcCidrs, publicOf, reachable6 };
}

/** What a NAT gateway's namespace needs to know. */
export interface NatState {
  readonly natGatewayId: string;
  readonly eniId: string;
  readonly address: Ipv4;
  readonly gateway: Ipv4;
}

/** Throws `invalid_argument` for a gateway whose ENI or subnet is missing. */
export function wantedNats(spec: FabricSpec): NatState[] {
  return spec.natGateways.map(({ natGatewayId, eniId }) => {
    const eni = spec.enis.find((candidate) => candidate.eniId === eniId);
    const subnet = spec.subnets.find((candidate) => candidate.subnetId === eni?.subnetId);
    const address = eni?.addresses[0];
    if (subnet === undefined || address === undefined)
      throw badSpec(`the NAT gateway ${natGatewayId} with the ENI ${eniId}, which is not there`);
    return { natGatewayId, eniId, address, gateway: gatewayOf(subnet.cidr) };
  });
}

/** Throws `invalid_argument` when blocks of the VPC and of the internet overlap. */
export function checkDistinct(vpcCidrs: readonly Cidr[], internet: readonly Cidr[]): void {
  for (const cidr of vpcCidrs) {
    const clash = internet.find((other) => cidrsOverlap(cidr, other));
    if (clash !== undefined)
      throw badSpec(`the VPC block ${formatCidr(cidr)}, which overlaps the internet's ${formatCidr(clash)}`);
  }
}
