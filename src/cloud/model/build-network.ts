import { cidr6, parseCidr4 } from "../../addr/cidr.ts";
import { ipv6 } from "../../addr/ipv6.ts";
import type { SubnetConfig, VpcConfig } from "../config.ts";
import { buildRouteTables } from "./build-route-tables.ts";
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
  buildRouteTables(ctx, config, vpc, placed);
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
