import { addressesPerPrefix } from "../ipam/settings.ts";
import type { EniView } from "../ipam/types.ts";
import type { InstanceLimits } from "../limits/instance-types.ts";
import { podAddresses } from "../limits/max-pods.ts";
import { badField, count } from "./field.ts";
import { NodeDriver } from "./node-driver.ts";
import {
  describeWarm,
  hasPodSubnets,
  isDiscovery,
  leavesPrimaryEmpty,
  type PlanMode,
  settingsOfMode,
  usesPrefixes,
  type WarmSettings,
} from "./warm-settings.ts";

export interface FootprintInput {
  readonly limits: InstanceLimits;
  readonly mode: PlanMode;
  readonly warm: WarmSettings;
  /** Pods with an address of their own; pods on the host network take none. */
  readonly pods: number;
  /** Pods with security groups of their own: each takes one address on a branch ENI. */
  readonly branchPods?: number;
  readonly maxPods?: number;
}

/** What one node takes of a subnet beside its own address: single addresses, and /28 blocks. */
export interface SubnetShare {
  /** The ENIs' own addresses. */
  readonly enis: number;
  readonly pods: number;
  readonly warm: number;
  readonly branch: number;
  /** /28 blocks, for pods and warm. */
  readonly blocks: number;
}

/** What one node holds of its subnets when it is at rest. */
export interface NodeFootprint {
  readonly instanceType: string;
  readonly pods: number;
  /** ENIs, the primary and the trunk included. */
  readonly enis: number;
  /** Addresses for pods held; in prefixes when the mode has them. */
  readonly held: number;
  readonly warm: number;
  /** /28 blocks held. */
  readonly prefixes: number;
  /** Of the nodes' subnet, beside the node's own address. */
  readonly inNodeSubnet: SubnetShare;
  /** Of the pods' own subnet; nothing in modes that have none. */
  readonly inPodSubnet: SubnetShare;
  /** All IPv4 addresses that the node takes out of subnets. */
  readonly addresses: number;
  readonly explain: string;
}

const known = new Map<string, NodeFootprint>();

/**
 * The addresses that a node holds at rest, found by letting `ipam/` run a node of this type until nothing more
 * happens. Throws `invalid_argument` when the pods do not fit on the type in this mode.
 */
export function nodeFootprint(input: FootprintInput, field = "podsPerNode"): NodeFootprint {
  const { limits, mode, warm, pods, branchPods = 0, maxPods } = input;
  checkPods(input, field);
  const key = JSON.stringify([limits.instanceType, mode, warm, pods, branchPods, maxPods]);
  const before = known.get(key);
  if (before !== undefined) return before;
  const driver = new NodeDriver({
    limits,
    settings: settingsOfMode(mode, warm, { podEni: branchPods > 0 }),
    excludesPrimary: mode === "discovery-prefix",
    ...(maxPods === undefined ? {} : { maxPods }),
  });
  driver.settle();
  for (let pod = 0; pod < pods; pod++) driver.arrive(pod);
  driver.settle();
  const footprint = footprintOf(input, driver);
  known.set(key, footprint);
  return footprint;
}

function footprintOf(input: FootprintInput, driver: NodeDriver): NodeFootprint {
  const { limits, mode, warm, pods, branchPods = 0 } = input;
  const enis = driver.pool.enis();
  const { total, prefixes } = driver.pool.stats(driver.now);
  const isIpv6 = mode === "ipv6";
  // In IPv6 mode a pool counts the addresses of a /80; none of them is of the IPv4 subnet.
  const held = isIpv6 ? pods : total;
  const blocks = usesPrefixes(mode) ? prefixes : 0;
  const apart = enis.filter((eni) => isInPodSubnet(eni, mode));
  const branchIsApart = hasPodSubnets(mode) && !isDiscovery(mode);
  const inNodeSubnet = shareOf(
    enis.filter((eni) => !apart.includes(eni)),
    mode,
    branchIsApart ? 0 : branchPods,
  );
  const inPodSubnet = shareOf(apart, mode, branchIsApart ? branchPods : 0);
  const addresses = 1 + [inNodeSubnet, inPodSubnet].reduce((sum, share) => sum + addressesOf(share), 0);
  const otherEnis = enis.length - 1;
  const parts = isIpv6
    ? ["1 IPv4 address of the node; pods are on its /80"]
    : [
        "1 address of the node",
        ...(otherEnis > 0 ? [`${otherEnis} of its other ENIs`] : []),
        blocks > 0
          ? `${count(blocks, "prefix")} × ${addressesPerPrefix} = ${held} (${pods} pods, ${held - pods} warm)`
          : `${held} for pods (${pods} pods, ${held - pods} warm)`,
        ...(branchPods > 0 ? [`${branchPods} of branch ENIs`] : []),
      ];
  const where = hasPodSubnets(mode) ? `, ${addressesOf(inPodSubnet)} of them in the pods' subnet` : "";
  return {
    instanceType: limits.instanceType,
    pods,
    enis: enis.length,
    held,
    warm: isIpv6 ? 0 : held - pods,
    prefixes: blocks,
    inNodeSubnet,
    inPodSubnet,
    addresses,
    explain: `${limits.instanceType} with ${count(pods, "pod")}, ${mode}, ${describeWarm(mode, warm)}: ${parts.join(" + ")} = ${addresses}${where}`,
  };
}

/** Single addresses of a share. */
export function singlesOf({ enis, pods, warm, branch }: SubnetShare): number {
  return enis + pods + warm + branch;
}

/** All addresses of a share, those in blocks included. */
export function addressesOf(share: SubnetShare): number {
  return singlesOf(share) + share.blocks * addressesPerPrefix;
}

/** The trunk is made by the resource controller, which knows ENIConfigs but looks for no tags. */
function isInPodSubnet({ primary, trunk }: EniView, mode: PlanMode): boolean {
  return hasPodSubnets(mode) && !primary && !(trunk && isDiscovery(mode));
}

function shareOf(enis: readonly EniView[], mode: PlanMode, branch: number): SubnetShare {
  const sum = (of: (eni: EniView) => number): number => enis.reduce((total, eni) => total + of(eni), 0);
  const pods = sum(({ groups }) => groups.single.assigned);
  return {
    enis: sum(({ primary }) => (primary ? 0 : 1)),
    pods: mode === "ipv6" ? 0 : pods,
    warm: mode === "ipv6" ? 0 : sum(({ groups }) => groups.single.total) - pods,
    branch,
    blocks: usesPrefixes(mode) ? sum(({ groups }) => groups.prefix4.blocks) : 0,
  };
}

function checkPods(input: FootprintInput, field: string): void {
  const { limits, mode, pods, branchPods = 0, maxPods } = input;
  const type = limits.instanceType;
  if (branchPods > 0) {
    const most = limits.trunkCapable ? (limits.branchEnis ?? 0) : 0;
    if (branchPods > most || mode === "ipv6") {
      throw badField(
        "branchPodsPerNode",
        String(branchPods),
        mode === "ipv6" ? "0 in IPv6 mode" : `at most ${most}: the branch ENIs of ${type}`,
      );
    }
  }
  if (mode !== "ipv6") checkAddresses(input, field);
  // aws-node and kube-proxy count against max-pods, though they need no address of their own.
  if (maxPods !== undefined && pods + branchPods > maxPods - 2) {
    throw badField(
      field,
      String(pods + branchPods),
      `at most ${maxPods - 2}: maxPods is ${maxPods}, and aws-node and kube-proxy are two of them`,
    );
  }
}

function checkAddresses({ limits, mode, warm, pods, branchPods = 0 }: FootprintInput, field: string): void {
  const type = limits.instanceType;
  const enis = Math.min(warm.maxEni ?? limits.enis, limits.enis) - (branchPods > 0 ? 1 : 0);
  const most = podAddresses(limits, {
    prefixDelegation: usesPrefixes(mode),
    customNetworking: leavesPrimaryEmpty(mode),
    maxEni: enis,
  });
  if (pods > most) {
    throw badField(
      field,
      String(pods),
      `at most ${most}: ${enis - (leavesPrimaryEmpty(mode) ? 1 : 0)} ENIs × ${limits.ipv4PerEni - 1}${usesPrefixes(mode) ? " × 16" : ""} on ${type} in ${mode} mode`,
      usesPrefixes(mode) ? "Take a larger type" : "Take a larger type, or prefix delegation",
    );
  }
}
