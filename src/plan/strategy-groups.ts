import type { InstanceLimits } from "../limits/instance-types.ts";
import { supportsPrefixDelegation } from "../limits/instance-types.ts";
import { badField, limitsOf, thousands, wholeNumber } from "./field.ts";
import { addressesOf, type NodeFootprint, nodeFootprint } from "./footprint.ts";
import { maxPods } from "./max-pods.ts";
import {
  hasPodSubnets,
  leavesPrimaryEmpty,
  type PlanMode,
  usesPrefixes,
  type WarmSettings,
} from "./warm-settings.ts";

/** Nodes alike, for which a strategy is looked for. */
export interface StrategyGroupInput {
  readonly name?: string;
  readonly instanceType: string;
  readonly nodes: number;
  /** Pods with an address of their own on a node. */
  readonly podsPerNode: number;
}

export interface StrategyGroup {
  readonly name: string;
  readonly limits: InstanceLimits;
  readonly nodes: number;
  readonly pods: number;
}

/** What all nodes of the groups hold together in a mode. The strategy is for the subnets that their pods live in. */
export interface Holding {
  readonly groups: readonly (StrategyGroup & { readonly footprint: NodeFootprint })[];
  readonly nodes: number;
  readonly addresses: number;
  /** /28 blocks. */
  readonly prefixes: number;
  readonly inNodeSubnets: number;
  readonly inPodSubnets: number;
  /** Of the subnets that pods live in: their own where the mode has them, else the nodes'. */
  readonly whereThePodsAre: number;
}

/** Either `nodeGroups` or the three fields of a single group; throws `invalid_argument` naming the field. */
export function readGroups(input: {
  readonly nodeGroups?: readonly StrategyGroupInput[];
  readonly instanceType?: string;
  readonly nodes?: number;
  readonly podsPerNode?: number;
}): StrategyGroup[] {
  const { nodeGroups, instanceType, nodes, podsPerNode } = input;
  if (nodeGroups === undefined) {
    if (instanceType === undefined || nodes === undefined || podsPerNode === undefined) {
      throw badField("nodeGroups", "none", "node groups, or instanceType, nodes and podsPerNode of one");
    }
    return [readGroup({ name: "workers", instanceType, nodes, podsPerNode }, "", 1)];
  }
  for (const [field, value] of Object.entries({ instanceType, nodes, podsPerNode })) {
    if (value !== undefined) throw badField(field, `${value} beside nodeGroups`, "one or the other");
  }
  if (nodeGroups.length === 0) throw badField("nodeGroups", "none", "one node group or more");
  const groups = nodeGroups.map((group, index) => readGroup(group, `nodeGroups[${index}].`, 0));
  if (groups.every((group) => group.nodes === 0))
    throw badField("nodeGroups", "no nodes", "one node or more");
  return groups.filter((group) => group.nodes > 0);
}

function readGroup(group: StrategyGroupInput, at: string, fewest: number): StrategyGroup {
  return {
    name: group.name ?? group.instanceType,
    limits: limitsOf(`${at}instanceType`, group.instanceType),
    nodes: wholeNumber(`${at}nodes`, group.nodes, fewest, 100_000),
    pods: wholeNumber(`${at}podsPerNode`, group.podsPerNode, 0, 10_000),
  };
}

export function holdingOf(groups: readonly StrategyGroup[], mode: PlanMode, warm: WarmSettings): Holding {
  const held = groups.map((group) => ({
    ...group,
    footprint: nodeFootprint({ limits: group.limits, mode, warm, pods: group.pods }),
  }));
  const sum = (of: (footprint: NodeFootprint) => number): number =>
    held.reduce((total, { nodes, footprint }) => total + nodes * of(footprint), 0);
  const inNodeSubnets = sum(({ inNodeSubnet }) => 1 + addressesOf(inNodeSubnet));
  const inPodSubnets = sum(({ inPodSubnet }) => addressesOf(inPodSubnet));
  return {
    groups: held,
    nodes: sum(() => 1),
    addresses: sum(({ addresses }) => addresses),
    prefixes: sum(({ prefixes }) => prefixes),
    inNodeSubnets,
    inPodSubnets,
    whereThePodsAre: hasPodSubnets(mode) ? inPodSubnets : inNodeSubnets,
  };
}

/** More nodes than any cluster has: the answer where nodes take nothing. */
const mostNodes = 1_000_000;

/** Nodes, in the same mix, that so many addresses are enough for when all of them take `perMix` together. */
export function nodesIn(room: number, perMix: number, { nodes }: Pick<Holding, "nodes">): number {
  return perMix === 0 ? mostNodes : Math.max(Math.floor((room * nodes) / perMix), 0);
}

/** What one node of a footprint takes of the subnets that its pods live in. */
export function perNode(footprint: NodeFootprint, mode: PlanMode): number {
  return hasPodSubnets(mode) ? addressesOf(footprint.inPodSubnet) : footprint.addresses;
}

/** "24 nodes × (30 − 14)", or a sum over the groups. */
export function savingText(
  before: Holding,
  after: Holding,
  ofBefore: (footprint: NodeFootprint) => number,
  ofAfter: (footprint: NodeFootprint) => number,
): string {
  return before.groups
    .map(({ name, nodes, footprint }, index) => {
      const then = after.groups[index]?.footprint ?? footprint;
      const who = before.groups.length === 1 ? "nodes" : name;
      return `${thousands(nodes)} ${who} × (${ofBefore(footprint)} − ${ofAfter(then)})`;
    })
    .join(" + ");
}

export function allTakePrefixes(groups: readonly StrategyGroup[]): boolean {
  return groups.every(({ limits }) => supportsPrefixDelegation(limits));
}

/** max-pods of each type in a mode; undefined where vCPUs that nobody knows would decide. */
export function maxPodsIn(groups: readonly StrategyGroup[], mode: PlanMode): Map<string, number | undefined> {
  return new Map(
    groups.map(({ limits: { instanceType } }) => [instanceType, maxPodsOf(instanceType, mode)] as const),
  );
}

/** The lowest of them, which would hold for a group of mixed types. */
export function lowestMaxPods(groups: readonly StrategyGroup[], mode: PlanMode): number | undefined {
  const numbers = [...maxPodsIn(groups, mode).values()].filter((pods) => pods !== undefined);
  return numbers.length === 0 ? undefined : Math.min(...numbers);
}

/** "110", or "110 (m5.large), 250 (m5.8xlarge)". */
export function maxPodsText(groups: readonly StrategyGroup[], mode: PlanMode): string {
  const each = [...maxPodsIn(groups, mode)];
  const [only] = each;
  if (each.length === 1) return String(only?.[1] ?? "N");
  return each.map(([type, pods]) => `${pods ?? "N"} (${type})`).join(", ");
}

function maxPodsOf(instanceType: string, mode: PlanMode): number | undefined {
  try {
    return maxPods({
      instanceTypes: instanceType,
      prefixDelegation: usesPrefixes(mode),
      customNetworking: leavesPrimaryEmpty(mode),
      ipv6: mode === "ipv6",
    }).maxPods;
  } catch {
    return undefined;
  }
}
