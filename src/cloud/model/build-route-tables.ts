import { parseCidr } from "../../addr/cidr.ts";
import { EniverseError } from "../../base/error.ts";
import type { RouteTableConfig, SubnetConfig, VpcConfig } from "../config.ts";
import { allocateElasticIp } from "./elastic-ip.ts";
import { attachInternetGateway, createEgressOnlyGateway, createInternetGateway } from "./gateway.ts";
import { newId } from "./ids.ts";
import { createNatGateway } from "./nat-gateway.ts";
import { associateRouteTable, createRoute, createRouteTable, type RouteTarget } from "./route-table.ts";
import type { Context } from "./state.ts";
import type { Subnet } from "./subnet.ts";
import type { Vpc } from "./vpc.ts";

/** A subnet of the configuration and what it became. */
export interface Placed {
  readonly config: SubnetConfig;
  readonly subnet: Subnet;
}

const anywhere = parseCidr("0.0.0.0/0");
const anywhere6 = parseCidr("::/0");

/** Builds a network's gateways, and its route tables: those that are spelled out, or the usual ones. */
export function buildRouteTables(ctx: Context, config: VpcConfig, vpc: Vpc, placed: readonly Placed[]): void {
  const gateways = buildGateways(ctx, config, vpc);
  if (config.routeTables !== undefined) {
    buildNamedTables(ctx, config.routeTables, vpc, placed, gateways);
    return;
  }
  buildPublicRoutes(ctx, config, vpc, placed, gateways);
  buildPrivateRoutes(ctx, config, vpc, placed, gateways);
}

interface Gateways {
  readonly internet: RouteTarget | undefined;
  readonly egressOnly: RouteTarget | undefined;
  /** The NAT gateway in a subnet, made when it is asked for first. */
  readonly natIn: (host: Placed) => RouteTarget;
}

function buildGateways(ctx: Context, config: VpcConfig, vpc: Vpc): Gateways {
  const { name } = config;
  let internet: RouteTarget | undefined;
  if (config.internetGateway) {
    const { gatewayId } = createInternetGateway(ctx, [["Name", name]]);
    attachInternetGateway(ctx, gatewayId, vpc.vpcId);
    internet = { kind: "internet-gateway", id: gatewayId };
  }
  let egressOnly: RouteTarget | undefined;
  if (config.egressOnlyInternetGateway) {
    const { gatewayId } = createEgressOnlyGateway(ctx, vpc.vpcId, [["Name", name]]);
    egressOnly = { kind: "egress-only-internet-gateway", id: gatewayId };
  }
  const natGateways = new Map<string, RouteTarget>();
  const natIn = ({ config: host, subnet }: Placed): RouteTarget => {
    const present = natGateways.get(subnet.subnetId);
    if (present !== undefined) return present;
    const tags = [["Name", `${name}-nat-${host.name}`]] as const;
    const { allocationId } = allocateElasticIp(ctx, tags);
    const { natGatewayId } = createNatGateway(ctx, { subnetId: subnet.subnetId, allocationId, tags });
    const target: RouteTarget = { kind: "nat-gateway", id: natGatewayId };
    natGateways.set(subnet.subnetId, target);
    return target;
  };
  return { internet, egressOnly, natIn };
}

function buildPublicRoutes(
  ctx: Context,
  config: VpcConfig,
  vpc: Vpc,
  placed: readonly Placed[],
  { internet }: Gateways,
): void {
  if (internet === undefined) return;
  const { routeTableId } = createRouteTable(ctx, vpc.vpcId, [["Name", `${config.name}-public`]]);
  createRoute(ctx, routeTableId, anywhere, internet);
  if (config.ipv6) createRoute(ctx, routeTableId, anywhere6, internet);
  for (const { config: subnet, subnet: built } of placed) {
    if (subnet.public) associateRouteTable(ctx, routeTableId, built.subnetId);
  }
}

/** A route table per zone, so that each can have a NAT gateway of its own. */
function buildPrivateRoutes(
  ctx: Context,
  config: VpcConfig,
  vpc: Vpc,
  placed: readonly Placed[],
  { internet, egressOnly, natIn }: Gateways,
): void {
  const hosts = placed.filter((one) => one.config.public);
  const wantsNat = config.natGateways !== "none" && internet !== undefined;
  const zones = new Set(placed.filter((one) => !one.config.public).map((one) => one.config.zone));
  for (const zone of zones) {
    const { routeTableId } = createRouteTable(ctx, vpc.vpcId, [["Name", `${config.name}-private-${zone}`]]);
    const inZone =
      config.natGateways === "per-zone" ? hosts.find((one) => one.config.zone === zone) : undefined;
    const host = inZone ?? hosts[0];
    if (wantsNat && host !== undefined) createRoute(ctx, routeTableId, anywhere, natIn(host));
    if (config.ipv6 && egressOnly !== undefined) createRoute(ctx, routeTableId, anywhere6, egressOnly);
    for (const { config: subnet, subnet: built } of placed) {
      if (!subnet.public && subnet.zone === zone) associateRouteTable(ctx, routeTableId, built.subnetId);
    }
  }
}

function buildNamedTables(
  ctx: Context,
  tables: readonly RouteTableConfig[],
  vpc: Vpc,
  placed: readonly Placed[],
  gateways: Gateways,
): void {
  for (const { name, routes } of tables) {
    const table = createRouteTable(ctx, vpc.vpcId, [["Name", name]]);
    for (const { destination, target } of routes) {
      const cidr = parseCidr(destination);
      const wanted = namedTarget(target, placed, gateways);
      if (wanted !== undefined) createRoute(ctx, table.routeTableId, cidr, wanted);
      // A black hole is what stays of a route when its target is deleted.
      else
        table.routes.push({
          destination: cidr,
          target: { kind: "nat-gateway", id: newId("nat", ctx.random) },
        });
    }
    for (const { config, subnet } of placed) {
      if (config.routeTable === name) associateRouteTable(ctx, table.routeTableId, subnet.subnetId);
    }
  }
}

/** Undefined for a black hole; throws for a gateway that the configuration does not have. */
function namedTarget(target: string, placed: readonly Placed[], gateways: Gateways): RouteTarget | undefined {
  if (target === "blackhole") return undefined;
  const [kind, subnetName] = target.split(":");
  const host = placed.find((one) => one.config.name === subnetName);
  const found =
    kind === "internet-gateway"
      ? gateways.internet
      : kind === "egress-only-internet-gateway"
        ? gateways.egressOnly
        : kind === "nat-gateway" && host !== undefined
          ? gateways.natIn(host)
          : undefined;
  if (found !== undefined) return found;
  throw new EniverseError("invalid_argument", {
    attempted: "build a route table",
    found: `a route to ${target}`,
    wanted: "a gateway of the VPC, nat-gateway:SUBNET-NAME, or blackhole",
  });
}
