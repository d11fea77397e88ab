import { parseCidr } from "../../addr/cidr.ts";
import type { RouteTableConfig, VpcConfig } from "../config.ts";
import { allocateElasticIp } from "./elastic-ip.ts";
import { faults } from "./fault.ts";
import { attachInternetGateway, createEgressOnlyGateway, createInternetGateway } from "./gateway.ts";
import { createNatGateway } from "./nat-gateway.ts";
import { associateRouteTable, createRoute, createRouteTable, type RouteTarget } from "./route-table.ts";
import type { Context } from "./state.ts";
import type { Vpc } from "./vpc.ts";

/** A subnet of the configuration and what it became. */
export interface NamedSubnet {
  readonly name: string;
  readonly subnetId: string;
  readonly routeTable?: string;
}

/**
 * Builds the route tables that the configuration spells out, with the gateways that their routes need: each kind of
 * internet gateway once, a NAT gateway once per subnet named. Subnets without a table keep the VPC's main one.
 */
export function buildRouteTables(
  ctx: Context,
  config: VpcConfig,
  tables: readonly RouteTableConfig[],
  vpc: Vpc,
  subnets: readonly NamedSubnet[],
): void {
  const gateways = new Map<string, RouteTarget>();
  if (config.internetGateway) {
    const { gatewayId } = createInternetGateway(ctx, [["Name", config.name]]);
    attachInternetGateway(ctx, gatewayId, vpc.vpcId);
    gateways.set("internet-gateway", { kind: "internet-gateway", id: gatewayId });
  }
  const targetOf = (text: string): RouteTarget => {
    const known = gateways.get(text);
    if (known !== undefined) return known;
    const made = makeTarget(ctx, config, vpc, subnets, text);
    gateways.set(text, made);
    return made;
  };
  for (const { name, routes } of tables) {
    const table = createRouteTable(ctx, vpc.vpcId, [["Name", `${config.name}-${name}`]]);
    // A blackhole needs no entry of its own: what no route matches is dropped.
    for (const { destination, target } of routes) {
      if (target !== "blackhole")
        createRoute(ctx, table.routeTableId, parseCidr(destination), targetOf(target));
    }
    for (const subnet of subnets) {
      if (subnet.routeTable === name) associateRouteTable(ctx, table.routeTableId, subnet.subnetId);
    }
  }
}

function makeTarget(
  ctx: Context,
  config: VpcConfig,
  vpc: Vpc,
  subnets: readonly NamedSubnet[],
  text: string,
): RouteTarget {
  const [kind, subnetName] = text.split(":");
  if (kind === "egress-only-internet-gateway") {
    return { kind, id: createEgressOnlyGateway(ctx, vpc.vpcId, [["Name", config.name]]).gatewayId };
  }
  const host = subnets.find(({ name }) => name === subnetName);
  if (kind !== "nat-gateway" || host === undefined) {
    throw faults.invalid(`A route cannot have the target ${text}.`);
  }
  const { allocationId } = allocateElasticIp(ctx, [["Name", `${config.name}-nat-${host.name}`]]);
  const { natGatewayId } = createNatGateway(ctx, {
    subnetId: host.subnetId,
    allocationId,
    tags: [["Name", `${config.name}-${host.name}`]],
  });
  return { kind, id: natGatewayId };
}
