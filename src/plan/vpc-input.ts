import {
  type Cidr4,
  cidr4,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr4,
  tryParseCidr,
} from "../addr/cidr.ts";
import { type InstanceLimits, supportsPrefixDelegation } from "../limits/instance-types.ts";
import { badField, limitsOf, numberIn, wholeNumber } from "./field.ts";
import { type NodeFootprint, nodeFootprint } from "./footprint.ts";
import { maxPods } from "./max-pods.ts";
import {
  checkModeAndWarm,
  hasPodSubnets,
  leavesPrimaryEmpty,
  type PlanMode,
  usesPrefixes,
  type WarmSettings,
} from "./warm-settings.ts";

/**
 * What a subnet is for: the control plane's interfaces; load balancers and NAT gateways; nodes (and their pods
 * without custom networking); pods alone.
 */
export type SubnetKind = "cluster" | "public" | "private" | "pods";

export interface NodeGroupInput {
  readonly name?: string;
  readonly instanceType: string;
  readonly nodes: number;
  /** Pods with an address of their own on a full node; pods on the host network take none. */
  readonly podsPerNode: number;
  /** Pods with security groups of their own, beside the others. */
  readonly branchPodsPerNode?: number;
  /** The kubelet's; default what `maxPods` answers for the mode. */
  readonly maxPods?: number;
}

/** How the number of nodes grows, all groups alike. */
export interface Growth {
  readonly percentPerMonth?: number;
  readonly nodesPerMonth?: number;
}

/** A range that the VPC must keep clear of. */
export interface OtherRange {
  readonly name: string;
  readonly cidr: string;
  /** `existing` ones are subnets of this VPC: planned around. Default "peer". */
  readonly kind?: "peer" | "on-premises" | "existing";
}

/** A subnet that is there already or settled. */
export interface GivenSubnet {
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  readonly kind: SubnetKind;
  /** Addresses that something else than this cluster takes. */
  readonly usedByOthers?: number;
  readonly reservations?: readonly string[];
}

export interface PlanVpcInput {
  readonly clusterName?: string;
  readonly region?: string;
  /** How many zones, or their names. Default 3. */
  readonly zones?: number | readonly string[];
  /** Default 10.0.0.0/16, or what covers the given subnets. */
  readonly vpcCidr?: string;
  /** Secondary blocks for pod subnets of the custom and discovery modes; found in 100.64.0.0/10 when absent. */
  readonly podCidrs?: readonly string[];
  readonly serviceCidr?: string;
  /** Default "secondary-ip". */
  readonly mode?: PlanMode;
  readonly warm?: WarmSettings;
  readonly nodeGroups: readonly NodeGroupInput[];
  readonly growth?: Growth;
  /** Subnets are made to last so long; default 365. */
  readonly horizonDays?: number;
  /** Room on top of the peak at the horizon; default 20. */
  readonly headroomPercent?: number;
  /** Nodes that an upgrade adds to each group for its time; default twice the zones, as managed groups do. */
  readonly surgeNodes?: number;
  /** The other zones must be able to take the nodes of one that is lost. */
  readonly surviveZoneLoss?: boolean;
  readonly loadBalancers?: {
    readonly publicAlbs?: number;
    readonly internalAlbs?: number;
    readonly publicNlbs?: number;
    readonly internalNlbs?: number;
  };
  /** Interface endpoints (PrivateLink), each with an address in every zone. */
  readonly interfaceEndpoints?: number;
  /** Default "per-zone". */
  readonly natGateways?: "per-zone" | "single" | "none";
  /** Databases, file systems, functions: addresses in each private subnet. */
  readonly otherAddressesPerZone?: number;
  readonly others?: readonly OtherRange[];
  /** Judge these subnets instead of laying out new ones. */
  readonly subnets?: readonly GivenSubnet[];
  /** Ids of the subnets by their names in the plan, once they are made: ENIConfigs name them. */
  readonly subnetIds?: Readonly<Record<string, string>>;
  /** Make private and pod subnets as large as the blocks allow. */
  readonly fill?: boolean;
  /** The day on which the growth starts, "2026-11-22"; with it the answer has a date. */
  readonly startDate?: string;
}

export interface NodeGroup {
  readonly name: string;
  readonly instanceType: string;
  readonly limits: InstanceLimits;
  readonly nodes: number;
  readonly maxPods: number | undefined;
  readonly branchPods: number;
  readonly footprint: NodeFootprint;
}

/** A {@link PlanVpcInput} with everything filled in and checked. */
export interface VpcQuestion {
  readonly clusterName: string;
  readonly region: string;
  readonly zones: readonly string[];
  readonly vpcCidr: Cidr4;
  readonly podCidrs: readonly Cidr4[] | undefined;
  readonly serviceCidr: Cidr4;
  readonly mode: PlanMode;
  readonly warm: WarmSettings;
  readonly groups: readonly NodeGroup[];
  readonly growth: Growth | undefined;
  readonly horizonDays: number;
  readonly headroomPercent: number;
  readonly surgeNodes: number;
  readonly surviveZoneLoss: boolean;
  readonly loadBalancers: Required<NonNullable<PlanVpcInput["loadBalancers"]>>;
  readonly interfaceEndpoints: number;
  readonly natGateways: "per-zone" | "single" | "none";
  readonly otherAddresses: number;
  readonly others: readonly { readonly name: string; readonly cidr: Cidr4; readonly kind: string }[];
  readonly subnets: readonly GivenSubnet[] | undefined;
  readonly subnetIds: Readonly<Record<string, string>>;
  readonly fill: boolean;
  readonly startDate: string | undefined;
}

/** Fills in the defaults; throws `invalid_argument` naming the first field that is wrong. */
export function readVpcInput(input: PlanVpcInput): VpcQuestion {
  const region = input.region ?? "us-west-2";
  if (!/^[a-z]{2}(-[a-z]+)+-[0-9]$/.test(region)) {
    throw badField("region", JSON.stringify(region), "a region, as us-west-2");
  }
  const clusterName = input.clusterName ?? "eks";
  if (!/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/.test(clusterName)) {
    throw badField("clusterName", JSON.stringify(clusterName), "up to 100 letters, digits, - and _");
  }
  const mode = input.mode ?? "secondary-ip";
  const warm = input.warm ?? {};
  checkModeAndWarm(mode, warm);
  const zones = readZones(input, region);
  const vpcCidr = vpcBlock("vpcCidr", input.vpcCidr ?? coverOf(input.subnets ?? []) ?? "10.0.0.0/16");
  if (input.podCidrs !== undefined && !hasPodSubnets(mode)) {
    throw badField(
      "podCidrs",
      `given in ${mode} mode`,
      "a mode in which pods have subnets of their own (custom, custom-prefix, discovery, discovery-prefix)",
    );
  }
  const loadBalancers = {
    publicAlbs: 0,
    internalAlbs: 0,
    publicNlbs: 0,
    internalNlbs: 0,
    ...input.loadBalancers,
  };
  for (const [name, number] of Object.entries(loadBalancers))
    wholeNumber(`loadBalancers.${name}`, number, 0, 1000);
  if (input.startDate !== undefined && !isDate(input.startDate)) {
    throw badField("startDate", JSON.stringify(input.startDate), "a day, as 2026-11-22");
  }
  if (input.nodeGroups.length === 0) throw badField("nodeGroups", "none", "one node group or more");
  const groups = input.nodeGroups.map((group, index) => readGroup(group, index, mode, warm));
  checkNames(groups);
  return {
    clusterName,
    region,
    zones,
    vpcCidr,
    podCidrs: input.podCidrs?.map((text, index) => vpcBlock(`podCidrs[${index}]`, text)),
    serviceCidr: readServiceCidr(input.serviceCidr, vpcCidr),
    mode,
    warm,
    groups,
    growth: readGrowth(input.growth),
    horizonDays: wholeNumber("horizonDays", input.horizonDays ?? 365, 0, 3650),
    headroomPercent: numberIn("headroomPercent", input.headroomPercent ?? 20, 0, 1000),
    surgeNodes: wholeNumber("surgeNodes", input.surgeNodes ?? 2 * zones.length, 0, 100_000),
    surviveZoneLoss: input.surviveZoneLoss ?? false,
    loadBalancers,
    interfaceEndpoints: wholeNumber("interfaceEndpoints", input.interfaceEndpoints ?? 0, 0, 1000),
    natGateways: input.natGateways ?? "per-zone",
    otherAddresses: wholeNumber("otherAddressesPerZone", input.otherAddressesPerZone ?? 0, 0, 65_536),
    others: (input.others ?? []).map(readOther),
    subnets: input.subnets === undefined ? undefined : readSubnets(input.subnets, zones),
    subnetIds: input.subnetIds ?? {},
    fill: input.fill ?? false,
    startDate: input.startDate,
  };
}

function readZones(input: PlanVpcInput, region: string): readonly string[] {
  const given = input.zones ?? 3;
  const zones =
    typeof given === "number"
      ? Array.from(
          { length: wholeNumber("zones", given, 2, 6) },
          (_, index) => `${region}${String.fromCharCode(97 + index)}`,
        )
      : given;
  if (zones.length < 2) throw badField("zones", zones.join(", ") || "none", "two zones or more, as EKS asks");
  for (const zone of zones) {
    const known = zone.startsWith(region) && /^[a-z]$/.test(zone.slice(region.length));
    if (!known) throw badField("zones", JSON.stringify(zone), `a zone of ${region}, as ${region}a`);
  }
  if (new Set(zones).size < zones.length) throw badField("zones", zones.join(", "), "every zone once");
  return zones;
}

function readGroup(group: NodeGroupInput, index: number, mode: PlanMode, warm: WarmSettings): NodeGroup {
  const field = (name: string): string => `nodeGroups[${index}].${name}`;
  const limits = limitsOf(field("instanceType"), group.instanceType);
  const cannot = (usesPrefixes(mode) || mode === "ipv6") && !supportsPrefixDelegation(limits);
  if (cannot) {
    throw badField(
      field("instanceType"),
      `${group.instanceType} in ${mode} mode`,
      "a Nitro or bare-metal type",
    );
  }
  const branchPods = wholeNumber(field("branchPodsPerNode"), group.branchPodsPerNode ?? 0, 0, 1000);
  if (group.maxPods !== undefined) wholeNumber(field("maxPods"), group.maxPods, 3, 10_000);
  const most = group.maxPods ?? defaultMaxPods(group, mode, warm, branchPods);
  const pods = wholeNumber(field("podsPerNode"), group.podsPerNode, 0, 10_000);
  return {
    name: group.name ?? (index === 0 ? "workers" : `workers-${index + 1}`),
    instanceType: group.instanceType,
    limits,
    nodes: wholeNumber(field("nodes"), group.nodes, 0, 100_000),
    maxPods: most,
    branchPods,
    footprint: nodeFootprint(
      { limits, mode, warm, pods, branchPods, ...(most === undefined ? {} : { maxPods: most }) },
      field("podsPerNode"),
    ),
  };
}

function checkNames(groups: readonly NodeGroup[]): void {
  for (const [index, { name }] of groups.entries()) {
    const field = `nodeGroups[${index}].name`;
    if (!/^[0-9A-Za-z][A-Za-z0-9_-]{0,62}$/.test(name))
      throw badField(field, JSON.stringify(name), "up to 63 letters, digits, - and _");
    if (groups.findIndex((group) => group.name === name) < index)
      throw badField(field, `${JSON.stringify(name)} a second time`, "a name of its own for each group");
  }
}

/** Undefined where vCPUs that nobody knows would decide. */
function defaultMaxPods(
  group: NodeGroupInput,
  mode: PlanMode,
  warm: WarmSettings,
  branchPods: number,
): number | undefined {
  try {
    const answer = maxPods({
      instanceTypes: group.instanceType,
      prefixDelegation: usesPrefixes(mode),
      customNetworking: leavesPrimaryEmpty(mode),
      ipv6: mode === "ipv6",
      securityGroupsForPods: branchPods > 0,
      ...(warm.maxEni === undefined ? {} : { maxEni: warm.maxEni }),
    });
    // Pods on branch ENIs are beside those of the formula, and count against the kubelet's number as well.
    const [row] = answer.rows;
    return Math.min(answer.maxPods + branchPods, row?.cap ?? answer.maxPods);
  } catch {
    return undefined;
  }
}

function readGrowth(growth: Growth | undefined): Growth | undefined {
  if (growth === undefined) return undefined;
  const { percentPerMonth, nodesPerMonth } = growth;
  if (percentPerMonth !== undefined && nodesPerMonth !== undefined) {
    throw badField("growth", "percentPerMonth and nodesPerMonth", "one of the two");
  }
  if (percentPerMonth !== undefined) numberIn("growth.percentPerMonth", percentPerMonth, 0, 1000);
  if (nodesPerMonth !== undefined) numberIn("growth.nodesPerMonth", nodesPerMonth, 0, 100_000);
  return growth;
}

function readServiceCidr(text: string | undefined, vpc: Cidr4): Cidr4 {
  // EKS takes 10.100.0.0/16, or 172.20.0.0/16 where the VPC is in 10.0.0.0/8.
  const cidr = tryParseCidr(text ?? (vpc.base >>> 24 === 10 ? "172.20.0.0/16" : "10.100.0.0/16"));
  if (cidr?.family !== 4 || cidr.bits < 12 || cidr.bits > 24) {
    throw badField("serviceCidr", JSON.stringify(text), "an IPv4 block of /12 to /24");
  }
  if (cidrsOverlap(cidr, vpc)) {
    throw badField(
      "serviceCidr",
      `${formatCidr(cidr)}, which overlaps the VPC's ${formatCidr(vpc)}`,
      "a block outside the VPC",
    );
  }
  return cidr;
}

function readOther(other: OtherRange, index: number): VpcQuestion["others"][number] {
  const cidr = tryParseCidr(other.cidr);
  if (cidr?.family !== 4)
    throw badField(`others[${index}].cidr`, JSON.stringify(other.cidr), "an IPv4 block, as 10.1.0.0/16");
  return { name: other.name, cidr, kind: other.kind ?? "peer" };
}

function readSubnets(subnets: readonly GivenSubnet[], zones: readonly string[]): readonly GivenSubnet[] {
  for (const [index, subnet] of subnets.entries()) {
    const field = (name: string): string => `subnets[${index}].${name}`;
    const cidr = vpcBlock(field("cidr"), subnet.cidr);
    if (!zones.includes(subnet.zone))
      throw badField(field("zone"), subnet.zone, `one of the zones ${zones.join(", ")}`);
    wholeNumber(field("usedByOthers"), subnet.usedByOthers ?? 0, 0, 65_536);
    for (const other of subnets.slice(index + 1)) {
      const second = tryParseCidr(other.cidr);
      if (second === undefined || !cidrsOverlap(cidr, second)) continue;
      throw badField(
        field("cidr"),
        `${subnet.cidr}, which overlaps ${other.cidr} of ${other.name}`,
        "subnets apart from each other",
      );
    }
  }
  for (const zone of zones) {
    const hasNodes = subnets.some((subnet) => subnet.zone === zone && subnet.kind === "private");
    if (!hasNodes) throw badField("subnets", `no private subnet in ${zone}`, "one for nodes in every zone");
  }
  return subnets;
}

/** The block of a VPC that has these subnets, as far as one can tell; pod subnets may lie in another block. */
function coverOf(subnets: readonly GivenSubnet[]): string | undefined {
  const blocks = subnets
    .filter(({ kind }) => kind !== "pods")
    .flatMap((subnet) => tryParseCidr(subnet.cidr) ?? [])
    .filter((cidr) => cidr.family === 4);
  const [first] = blocks;
  if (first === undefined) return undefined;
  for (let bits = first.bits; bits > 16; bits--) {
    const cover = cidr4(first.base, bits);
    if (blocks.every((block) => cidrContains(cover, block))) return formatCidr(cover);
  }
  return formatCidr(cidr4(first.base, 16));
}

function vpcBlock(field: string, text: string): Cidr4 {
  const cidr = tryParseCidr(text);
  if (cidr?.family === 4 && cidr.bits >= 16 && cidr.bits <= 28) return parseCidr4(text);
  throw badField(field, JSON.stringify(text), "an IPv4 block of /16 to /28, as EC2 allows");
}

function isDate(text: string): boolean {
  return /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));
}
