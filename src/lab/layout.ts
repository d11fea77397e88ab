import { type Cidr4, formatCidr, subnetOf } from "../addr/cidr.ts";
import { EniverseError } from "../base/error.ts";
import type { LabConfig, LabShape, RouteTableConfig, SubnetConfig } from "./config.ts";

/** As many zones as a region letter is shown for; EKS wants two at least. */
export const maxZones = 6;
const minZones = 2;

/** Blocks are cut from the VPC in eighths: the first for public and cluster subnets, the others for nodes. */
const eighthBits = 3;
const smallestSubnetBits = 28;

/**
 * The lab of the command line's short form: per zone a private subnet for nodes and pods (an eighth of the VPC), a
 * public subnet with a NAT gateway, and a /28 for the control plane's interfaces, as the EKS practice has it.
 *
 * Throws `invalid_argument` when the zones do not fit in the VPC or a number is out of range.
 */
export function layoutLab(name: string, shape: LabShape, region = "us-west-2"): LabConfig {
  checkShape(shape);
  const zones = Array.from(
    { length: shape.zones },
    (_, index) => `${region}${String.fromCharCode(97 + index)}`,
  );
  const subnets = zones.flatMap((zone, index) => zoneSubnets(shape.vpcCidr, zone, index));
  const ipFamily = shape.ipFamily ?? "ipv4";
  const ipv6 = shape.vpcIpv6 ?? ipFamily === "ipv6";
  const routes = (target4: string, target6: string): RouteTableConfig["routes"] => [
    { destination: "0.0.0.0/0", target: target4 },
    ...(ipv6 ? [{ destination: "::/0", target: target6 }] : []),
  ];
  const routeTables: RouteTableConfig[] = [
    { name: "public", routes: routes("internet-gateway", "internet-gateway") },
    ...zones.map((zone) => ({
      name: `private-${letterOf(zone)}`,
      routes: routes(`nat-gateway:public-${letterOf(zone)}`, "egress-only-internet-gateway"),
    })),
  ];
  const namesLike = (prefix: string): string[] =>
    subnets.filter((subnet) => subnet.name.startsWith(prefix)).map((subnet) => subnet.name);
  return {
    region,
    vpc: { cidrs: [formatCidr(shape.vpcCidr)], subnets, routeTables, ipv6 },
    cluster: {
      name,
      version: "1.33",
      subnets: namesLike("cluster-"),
      ipFamily,
      ...(ipFamily === "ipv6" ? {} : { serviceCidr: serviceCidrBeside(shape.vpcCidr) }),
    },
    nodeGroups: [
      {
        name: "workers",
        instanceType: shape.instanceType,
        count: shape.nodes,
        subnets: namesLike("private-"),
        labels: {},
        taints: [],
      },
    ],
    awsNode: { env: shape.awsNodeEnv },
    ec2: { addressChoice: "random", latencies: {}, imdsLag: 0, throttling: "off" },
    seed: 1,
  };
}

function checkShape(shape: LabShape): void {
  const { bits } = shape.vpcCidr;
  if (!Number.isInteger(shape.nodes) || shape.nodes < 0 || shape.nodes > 100) {
    throw badFlag("--nodes", shape.nodes, "a whole number of 0 to 100");
  }
  if (!Number.isInteger(shape.zones) || shape.zones < minZones || shape.zones > maxZones) {
    throw badFlag(
      "--zones",
      shape.zones,
      `${minZones} to ${maxZones}: an EKS cluster needs subnets in two zones at least`,
    );
  }
  if (bits < 16 || bits > 28) {
    throw badFlag("--vpc-cidr", formatCidr(shape.vpcCidr), "a block of /16 to /28, as EC2 allows for a VPC");
  }
  const perSmallBlock = 2 ** (smallestSubnetBits - (bits + eighthBits));
  if (bits + eighthBits > smallestSubnetBits || perSmallBlock < 2 * shape.zones) {
    throw badFlag(
      "--vpc-cidr",
      formatCidr(shape.vpcCidr),
      `room for ${shape.zones} zones with a public, a private and a cluster subnet each: a /22 or larger`,
    );
  }
}

function badFlag(flag: string, found: string | number, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: `use ${flag}`, found: String(found), wanted });
}

function zoneSubnets(vpc: Cidr4, zone: string, index: number): SubnetConfig[] {
  const letter = letterOf(zone);
  const first = subnetOf(vpc, vpc.bits + eighthBits, 0);
  const publicBits = Math.min(vpc.bits + 8, smallestSubnetBits);
  const lastSmall = 2 ** (smallestSubnetBits - first.bits) - 1;
  const plain = { zone, reservations: [], publicAddresses: false } as const;
  return [
    {
      ...plain,
      name: `public-${letter}`,
      cidr: formatCidr(subnetOf(first, publicBits, index)),
      publicAddresses: true,
      routeTable: "public",
      tags: { "kubernetes.io/role/elb": "1" },
    },
    {
      ...plain,
      name: `private-${letter}`,
      cidr: formatCidr(subnetOf(vpc, vpc.bits + eighthBits, index + 1)),
      routeTable: `private-${letter}`,
      tags: { "kubernetes.io/role/internal-elb": "1" },
    },
    {
      ...plain,
      name: `cluster-${letter}`,
      // From the far end of the first eighth, so that public subnets keep their round numbers.
      cidr: formatCidr(subnetOf(first, smallestSubnetBits, lastSmall - index)),
      routeTable: `private-${letter}`,
      tags: {},
    },
  ];
}

const letterOf = (zone: string): string => zone.slice(-1);

/** EKS takes 10.100.0.0/16 for services, or 172.20.0.0/16 where the VPC is in 10.0.0.0/8. */
function serviceCidrBeside(vpc: Cidr4): string {
  return vpc.base >>> 24 === 10 ? "172.20.0.0/16" : "10.100.0.0/16";
}
