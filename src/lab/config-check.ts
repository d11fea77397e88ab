import { type Cidr4, cidrContains, cidrsOverlap, formatCidr, parseCidr, parseCidr4 } from "../addr/cidr.ts";
import { EniverseError } from "../base/error.ts";
import { instanceLimits, similarInstanceTypes, supportsPrefixDelegation } from "../limits/instance-types.ts";
import type { LabConfig, SubnetConfig } from "./config.ts";

/**
 * Checks what a schema cannot: that blocks fit and do not overlap, that names lead somewhere, that instance types
 * exist. Throws `invalid_argument` at the first thing wrong, before anything is made.
 */
export function checkLabConfig(config: LabConfig): void {
  const blocks = config.vpc.cidrs.map((text, index) => ({
    name: `vpc.cidrs[${index}]`,
    cidr: blockOf(text, "vpc.cidrs"),
  }));
  for (const { name, cidr } of blocks) {
    if (cidr.bits < 16 || cidr.bits > 28)
      throw bad(name, formatCidr(cidr), "a block of /16 to /28, as EC2 allows");
  }
  refuseOverlap(blocks);
  const subnets = config.vpc.subnets.map((subnet) => ({
    name: `subnet ${subnet.name}`,
    cidr: blockOf(subnet.cidr, subnet.name),
  }));
  for (const { name, cidr } of subnets) {
    if (cidr.bits < 16 || cidr.bits > 28)
      throw bad(name, formatCidr(cidr), "a block of /16 to /28, as EC2 allows");
    if (!blocks.some((block) => cidrContains(block.cidr, cidr))) {
      throw bad(name, formatCidr(cidr), `a block inside the VPC's ${config.vpc.cidrs.join(", ")}`);
    }
  }
  refuseOverlap(subnets);
  refuseTwins(
    "subnet",
    config.vpc.subnets.map((subnet) => subnet.name),
  );
  refuseTwins(
    "route table",
    config.vpc.routeTables.map((table) => table.name),
  );
  refuseTwins(
    "node group",
    config.nodeGroups.map((group) => group.name),
  );
  for (const subnet of config.vpc.subnets) checkSubnet(config, subnet);
  checkRoutes(config);
  checkCluster(
    config,
    blocks.map((block) => block.cidr),
  );
  checkNodeGroups(config);
  for (const [name, subnet] of Object.entries(config.awsNode.eniConfigs ?? {})) {
    const names = config.vpc.subnets.map((each) => each.name);
    if (!names.includes(subnet))
      throw bad(`awsNode.eniConfigs.${name}`, `subnet ${subnet}`, `one of ${names.join(", ")}`);
  }
}

interface NamedBlock {
  readonly name: string;
  readonly cidr: Cidr4;
}

function bad(what: string, found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: `use ${what}`, found, wanted });
}

function blockOf(text: string, where: string): Cidr4 {
  try {
    return parseCidr4(text);
  } catch (cause) {
    throw new EniverseError("invalid_argument", {
      attempted: `read the block of ${where}`,
      found: JSON.stringify(text),
      wanted: "an IPv4 block, as 10.0.0.0/16",
      cause,
    });
  }
}

function refuseOverlap(blocks: readonly NamedBlock[]): void {
  for (const [index, one] of blocks.entries()) {
    const other = blocks.slice(index + 1).find(({ cidr }) => cidrsOverlap(one.cidr, cidr));
    if (other === undefined) continue;
    throw bad(
      other.name,
      `${formatCidr(other.cidr)}, which overlaps ${formatCidr(one.cidr)} of ${one.name}`,
      "blocks apart from each other",
    );
  }
}

function refuseTwins(kind: string, names: readonly string[]): void {
  const twin = names.find((name, index) => names.indexOf(name) !== index);
  if (twin !== undefined) throw bad(`${kind} ${twin}`, "two of that name", "every name once");
}

function checkSubnet(config: LabConfig, subnet: SubnetConfig): void {
  const tables = config.vpc.routeTables.map((table) => table.name);
  if (subnet.routeTable !== undefined && !tables.includes(subnet.routeTable)) {
    throw bad(
      `subnet ${subnet.name}`,
      `route table ${subnet.routeTable}`,
      `one of ${tables.join(", ") || "(none is defined)"}`,
    );
  }
  if (!subnet.zone.startsWith(config.region) || !/^[a-z]$/.test(subnet.zone.slice(config.region.length))) {
    throw bad(
      `subnet ${subnet.name}`,
      `zone ${subnet.zone}`,
      `a zone of ${config.region}, as ${config.region}a`,
    );
  }
  for (const reservation of subnet.reservations) {
    if (!cidrContains(parseCidr(subnet.cidr), parseCidr(reservation.cidr))) {
      throw bad(`a reservation of subnet ${subnet.name}`, reservation.cidr, `a block inside ${subnet.cidr}`);
    }
  }
}

function checkRoutes(config: LabConfig): void {
  const names = config.vpc.subnets.map((subnet) => subnet.name);
  for (const table of config.vpc.routeTables) {
    for (const route of table.routes) {
      const subnet = route.target.startsWith("nat-gateway:")
        ? route.target.slice("nat-gateway:".length)
        : undefined;
      if (subnet !== undefined && !names.includes(subnet)) {
        throw bad(
          `route table ${table.name}`,
          `a NAT gateway in subnet ${subnet}`,
          `one of ${names.join(", ")}`,
        );
      }
    }
  }
}

function checkCluster(config: LabConfig, vpcBlocks: readonly Cidr4[]): void {
  const zones = new Set<string>();
  for (const name of config.cluster.subnets) {
    const subnet = config.vpc.subnets.find((candidate) => candidate.name === name);
    if (subnet === undefined) {
      throw bad(
        "cluster.subnets",
        name,
        `one of ${config.vpc.subnets.map((candidate) => candidate.name).join(", ")}`,
      );
    }
    zones.add(subnet.zone);
  }
  if (zones.size < 2) {
    throw bad(
      "cluster.subnets",
      `subnets in ${[...zones].join(", ") || "no zone"}`,
      "subnets in two zones at least, as EKS wants",
    );
  }
  const { ipFamily, serviceCidr } = config.cluster;
  if (ipFamily === "ipv6") {
    if (!config.vpc.ipv6) throw bad("cluster.ipFamily", "ipv6 in a VPC without IPv6", "vpc.ipv6: true");
    if (serviceCidr !== undefined)
      throw bad(
        "cluster.serviceCidr",
        serviceCidr,
        "nothing: EKS chooses the services' block of IPv6 clusters",
      );
  }
  if (serviceCidr === undefined) return;
  const service = blockOf(serviceCidr, "cluster.serviceCidr");
  if (service.bits < 12 || service.bits > 24)
    throw bad("cluster.serviceCidr", formatCidr(service), "a block of /12 to /24");
  const clash = vpcBlocks.find((block) => cidrsOverlap(block, service));
  if (clash !== undefined) {
    throw bad(
      "cluster.serviceCidr",
      `${formatCidr(service)}, which overlaps ${formatCidr(clash)} of the VPC`,
      "a block outside the VPC",
    );
  }
}

function checkNodeGroups(config: LabConfig): void {
  const names = config.vpc.subnets.map((subnet) => subnet.name);
  for (const group of config.nodeGroups) {
    const limits = instanceLimits(group.instanceType);
    if (limits === undefined) {
      const near = similarInstanceTypes(group.instanceType);
      throw bad(
        `node group ${group.name}`,
        `the unknown instance type ${JSON.stringify(group.instanceType)}`,
        near.length > 0
          ? `a type that EC2 has; did you mean ${near.join(", ")}?`
          : "a type that EC2 has, as m5.large",
      );
    }
    if (config.cluster.ipFamily === "ipv6" && !supportsPrefixDelegation(limits)) {
      throw bad(
        `node group ${group.name}`,
        `${group.instanceType} in an IPv6 cluster`,
        "a Nitro or bare-metal type, as m5.large: others take no prefixes",
      );
    }
    const lost = group.subnets.find((name) => !names.includes(name));
    if (lost !== undefined)
      throw bad(`node group ${group.name}`, `subnet ${lost}`, `one of ${names.join(", ")}`);
  }
}
