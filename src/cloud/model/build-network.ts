import { cidr6, parseCidr, parseCidr4 } from "../../addr/cidr.ts";
import { ipv6 } from "../../addr/ipv6.ts";
import type { SubnetConfig, VpcConfig } from "../config.ts";
import { buildRouteTables } from "./build-route-tables.ts";
import { allocateElasticIp } from "./elastic-ip.ts";
import { attachInternetGateway, createEgressOnlyGateway, createInternetGateway } from "./gateway.ts";
import { createNatGateway } from "./nat-gateway.ts";
import { associateRouteTable, createRoute, createRouteTable } from "./route-table.ts";
import type { Context } from "./state.ts";
import { createSubnet, modifySubnet, type Subnet } from "./subnet.ts";
import { createReservation } from "./subnet-reservation.ts";
import { associateVpcCidr, createVpc, modifyVpc, type Vpc } from "./vpc.ts";

export interface BuiltNetwork {
  readonly vpcId: string;
  readonly subnets: readonly BuiltSubnet[];
}

export interface BuiltSubnet {
  readonly name: string;
  readonly subnetId: string;
  readonly zone: string;
  readonly public: boolean;
}

interface Placed {
  readonly config: SubnetConfig;
  readonly subnet: Subnet;
}

const anywhere = parseCidr("0.0.0.0/0");
const anywhere6 = parseCidr("::/0");

/** Builds a VPC with its subnets, gateways and route tables; throws EC2's faults for what AWS would refuse. */
export function buildNetwork(ctx: Context, config: VpcConfig): BuiltNetwork {
  const [primary = "", ...secondary] = config.cidrs;
  const vpc = createVpc(ctx, {
    cidr: parseCidr4(primary),
    ipv6: config.ipv6,
    tags: [["Name", config.name]],
  });
  // Private endpoints of EKS need both DNS attributes.
  modifyVpc(ctx, vpc.vpcId, { dnsSupport: true, dnsHostnames: true });
  for (const cidr of secondary) associateVpcCidr(ctx, vpc.vpcId, parseCidr4(cidr));
  const placed = config.subnets.map((subnet, index) => ({
    config: subnet,
    subnet: buildSubnet(ctx, vpc, subnet, index),
  }));
  if (config.routeTables === undefined) {
    if (config.internetGateway) buildPublicRoutes(ctx, config, vpc, placed);
    buildPrivateRoutes(ctx, config, vpc, placed);
  } else {
    const named = placed.map((one) => ({ ...one.config, subnetId: one.subnet.subnetId }));
    buildRouteTables(ctx, config, config.routeTables, vpc, named);
  }
  return {
    vpcId: vpc.vpcId,
    subnets: placed.map(({ config: { name, zone, public: open }, subnet: { subnetId } }) => ({
      name,
      subnetId,
      zone,
      public: open,
    })),
  };
}

function buildSubnet(ctx: Context, vpc: Vpc, config: SubnetConfig, index: number): Subnet {
  const block = vpc.ipv6Cidrs[0]?.cidr;
  const subnet = createSubnet(ctx, {
    vpcId: vpc.vpcId,
    cidr: parseCidr4(config.cidr),
    zone: config.zone,
    tags: Object.entries({ Name: config.name, ...config.tags }),
    ...(block === undefined ? {} : { ipv6Cidr: cidr6(ipv6(block.base + (BigInt(index) << 64n)), 64) }),
  });
  modifySubnet(ctx, subnet.subnetId, {
    mapPublicIpOnLaunch: config.public,
    assignIpv6OnCreation: block !== undefined,
  });
  for (const { cidr, type, description = "" } of config.reservations ?? []) {
    createReservation(ctx, { subnetId: subnet.subnetId, cidr: parseCidr4(cidr), type, description });
  }
  return subnet;
}

function buildPublicRoutes(ctx: Context, config: VpcConfig, vpc: Vpc, placed: readonly Placed[]): void {
  const gateway = createInternetGateway(ctx, [["Name", config.name]]);
  attachInternetGateway(ctx, gateway.gatewayId, vpc.vpcId);
  const table = createRouteTable(ctx, vpc.vpcId, [["Name", `${config.name}-public`]]);
  const target = { kind: "internet-gateway", id: gateway.gatewayId } as const;
  createRoute(ctx, table.routeTableId, anywhere, target);
  if (config.ipv6) createRoute(ctx, table.routeTableId, anywhere6, target);
  for (const { config: subnet, subnet: built } of placed) {
    if (subnet.public) associateRouteTable(ctx, table.routeTableId, built.subnetId);
  }
}

/** A route table per zone, so that each can have a NAT gateway of its own. */
function buildPrivateRoutes(ctx: Context, config: VpcConfig, vpc: Vpc, placed: readonly Placed[]): void {
  const egressOnly =
    config.ipv6 && config.egressOnlyInternetGateway
      ? createEgressOnlyGateway(ctx, vpc.vpcId, [["Name", config.name]]).gatewayId
      : undefined;
  const gateways = new Map<string, string>();
  const natGatewayOf = (zone: string): string | undefined => {
    if (config.natGateways === "none" || !config.internetGateway) return undefined;
    const inZone = placed.find((one) => one.config.public && one.config.zone === zone);
    const host =
      config.natGateways === "per-zone" && inZone !== undefined
        ? inZone
        : placed.find((one) => one.config.public);
    if (host === undefined) return undefined;
    const present = gateways.get(host.config.zone);
    if (present !== undefined) return present;
    const { natGatewayId } = createNatGateway(ctx, {
      subnetId: host.subnet.subnetId,
      allocationId: allocateElasticIp(ctx, [["Name", `${config.name}-nat-${host.config.zone}`]]).allocationId,
      tags: [["Name", `${config.name}-${host.config.zone}`]],
    });
    gateways.set(host.config.zone, natGatewayId);
    return natGatewayId;
  };
  const zones = new Set(placed.filter((one) => !one.config.public).map((one) => one.config.zone));
  for (const zone of zones) {
    const table = createRouteTable(ctx, vpc.vpcId, [["Name", `${config.name}-private-${zone}`]]);
    const natGatewayId = natGatewayOf(zone);
    if (natGatewayId !== undefined) {
      createRoute(ctx, table.routeTableId, anywhere, { kind: "nat-gateway", id: natGatewayId });
    }
    if (egressOnly !== undefined) {
      createRoute(ctx, table.routeTableId, anywhere6, {
        kind: "egress-only-internet-gateway",
        id: egressOnly,
      });
    }
    for (const { config: subnet, subnet: built } of placed) {
      if (!subnet.public && subnet.zone === zone)
        associateRouteTable(ctx, table.routeTableId, built.subnetId);
    }
  }
}
