import { supportsPrefixDelegation } from "../limits/instance-types.ts";
import { badField, thousands } from "./field.ts";
import type { NodeFootprint } from "./footprint.ts";
import {
  type Holding,
  holdingOf,
  lowestMaxPods,
  maxPodsText,
  nodesIn,
  perNode,
  savingText,
} from "./strategy-groups.ts";
import type { Situation } from "./strategy-input.ts";
import type { Draft, StrategyOption } from "./strategy-option.ts";
import { overlapWithPeers } from "./strategy-room.ts";
import { customNetworking, moreSubnets, secondaryCidr } from "./strategy-subnets.ts";
import {
  describeWarm,
  hasPodSubnets,
  isCustom,
  isDiscovery,
  type PlanMode,
  usesPrefixes,
  type WarmSettings,
} from "./warm-settings.ts";

/** All options side by side, the gentlest first. */
export function optionsFor(situation: Situation): StrategyOption[] {
  return [
    fewerWarm(situation),
    prefixDelegation(situation),
    moreSubnets(situation),
    secondaryCidr(situation),
    customNetworking(situation),
    privateNat(situation),
    ipv6(situation),
  ].map((draft) => ({
    ...draft,
    fits: draft.possible && (draft.nodesAfter === "unlimited" || draft.nodesAfter >= situation.nodesWanted),
  }));
}

/**
 * The settings are one for all nodes: of those that suit one of the groups, the ones with which all together hold
 * the fewest addresses.
 */
function gentlest({ groups, mode }: Situation): { readonly warm: WarmSettings; readonly after: Holding } {
  const [first, ...others] = groups
    .map(
      ({ pods }): WarmSettings =>
        usesPrefixes(mode) ? { warmIpTarget: 2 } : { warmIpTarget: 2, minimumIpTarget: pods + 2 },
    )
    .map((warm) => ({ warm, after: holdingOf(groups, mode, warm) }));
  if (first === undefined) throw badField("nodeGroups", "none", "one node group or more");
  return others.reduce(
    (best, each) => (each.after.whereThePodsAre < best.after.whereThePodsAre ? each : best),
    first,
  );
}

function fewerWarm(situation: Situation): Draft {
  const { nodes, free, now, mode, groups } = situation;
  const { warm, after } = gentlest(situation);
  const gained = now.whereThePodsAre - after.whereThePodsAre;
  const each = (footprint: NodeFootprint): number => perNode(footprint, mode);
  const warmNow = now.groups.map(({ footprint }) => footprint.warm).join(", ");
  return {
    id: "fewer-warm",
    title: "Fewer warm addresses",
    possible: gained > 0,
    ...(gained > 0 ? {} : { why: `the nodes keep only ${warmNow} warm addresses each already` }),
    gained,
    working: `${savingText(now, after, each, each)} with ${describeWarm(mode, warm)} = ${thousands(gained)}`,
    nodesAfter: nodes + nodesIn(free + Math.max(gained, 0), after.whereThePodsAre, now),
    maxPods: lowestMaxPods(groups, mode),
    replace: "nothing: aws-node restarts on each node, pods go on",
    breaks: [
      "pods beyond the warm ones wait for an EC2 call, up to ten seconds when it takes a new ENI",
      "more EC2 calls: every pod that comes or goes may be one (eniverse plan warm shows how many)",
    ],
    steps: [
      `kubectl set env daemonset aws-node -n kube-system ${describeWarm(mode, warm)}`,
      "or the same under env in the add-on's configuration values",
      "watch awscni_total_ip_addresses fall over some minutes: addresses cool down first, ENIs go when they are empty",
    ],
  };
}

function prefixDelegation(situation: Situation): Draft {
  const { free, now, mode, nitro, groups, blocksFree, blocksCounted, usable } = situation;
  const warm: WarmSettings = { warmIpTarget: 2 };
  const isThere = usesPrefixes(mode);
  const target = prefixModeOf(mode);
  const after = nitro && !isThere ? holdingOf(groups, target, warm) : now;
  const gained = now.whereThePodsAre - after.whereThePodsAre;
  const blocksWanted = after.prefixes;
  const whole = Math.floor(blocksFree);
  const from = maxPodsText(groups, mode);
  const to = maxPodsText(groups, target);
  const sign = gained < 0 ? "costs" : "gains";
  return {
    id: "prefix-delegation",
    title: "Prefix delegation",
    possible: nitro && !isThere,
    ...(isThere ? { why: "prefixes are on already" } : nitro ? {} : { why: notNitro(situation) }),
    gained,
    working: `${savingText(
      now,
      after,
      (footprint) => perNode(footprint, mode),
      (footprint) => perNode(footprint, isThere ? mode : target),
    )} with prefixes and WARM_IP_TARGET=2: it ${sign} ${thousands(Math.abs(gained))}; it makes nodes denser (${from} → ${to} pods), not the subnet larger`,
    nodesAfter: nodesIn(free + now.whereThePodsAre, after.whereThePodsAre, now),
    maxPods: lowestMaxPods(groups, target),
    replace: "all nodes: new node groups with the new max-pods, then drain the old ones",
    breaks: [
      `${blocksCounted ? "" : "by chance about "}${whole} whole /28 blocks are left, ${thousands(blocksWanted)} are wanted${whole < blocksWanted ? ": InsufficientCidrBlocks until old nodes are gone" : ""}`,
      "a prefix goes back only when its last pod is gone: half-empty ones hold 16 addresses",
      "max-pods must be raised on the nodes, or they stay at the old number",
      "the CNI must not be taken below 1.9 while nodes hold prefixes",
    ],
    steps: [
      `reserve room for prefixes in each subnet (eniverse plan fragmentation --blocks ${Math.ceil(blocksWanted / Math.max(situation.subnets.length, 1))})`,
      ...(target === "discovery-prefix"
        ? [
            "tag the nodes' subnets kubernetes.io/role/cni=0, or the first ENI takes its prefixes there for nearly all pods",
          ]
        : []),
      "kubectl set env daemonset aws-node -n kube-system ENABLE_PREFIX_DELEGATION=true WARM_IP_TARGET=2",
      `make new node groups with --max-pods=${to}`,
      "cordon and drain the old groups, then delete them; no rolling replacement within a group",
      ...(whole < blocksWanted
        ? [`better in new subnets: ${thousands(usable)} addresses in use by chance leave few whole blocks`]
        : []),
    ],
  };
}

function prefixModeOf(mode: PlanMode): PlanMode {
  if (isCustom(mode)) return "custom-prefix";
  return isDiscovery(mode) ? "discovery-prefix" : "prefix";
}

function notNitro({ groups }: Situation): string {
  const types = groups
    .filter(({ limits }) => !supportsPrefixDelegation(limits))
    .map(({ limits }) => limits.instanceType);
  return types.length === 1 ? `${types[0]} is not a Nitro type` : `${types.join(", ")} are no Nitro types`;
}

function privateNat(situation: Situation): Draft {
  const { nodes, free, now, mode, groups } = situation;
  const clash = overlapWithPeers(situation);
  return {
    id: "private-nat",
    title: "Private NAT gateway",
    possible: clash !== undefined,
    ...(clash === undefined ? { why: "no peer overlaps: it would solve nothing here" } : {}),
    gained: 0,
    working: `0: it lets networks with the same ranges talk${clash === undefined ? "" : ` (${clash})`}, so that pods may live in a range that others use too; the room itself comes from a secondary CIDR`,
    nodesAfter: nodes + nodesIn(free, now.whereThePodsAre, now),
    maxPods: lowestMaxPods(groups, mode),
    replace: "nothing; routes of the pods' subnets change",
    breaks: [
      "the other side sees the gateway's address, not the pod's, and cannot open connections to pods",
      "a gateway and a transit gateway attachment in each zone, with their cost by the hour and the gigabyte",
      "55,000 connections to one destination for each address of the gateway",
    ],
    steps: [
      "keep a small routable subnet in each zone",
      "create a private NAT gateway in each of them",
      "route the other side's ranges from the pods' subnets to it, and on by the transit gateway",
      "AWS_VPC_K8S_CNI_EXTERNALSNAT=true, so that nodes leave translation to the gateway",
    ],
  };
}

function ipv6(situation: Situation): Draft {
  const { nitro, groups, usable, mode } = situation;
  // The nodes' own subnets are not among those that run out where pods have theirs.
  const isApart = hasPodSubnets(mode);
  const fits = isApart ? "of its own subnet" : `(${thousands(usable)} nodes fit in the subnets of today)`;
  return {
    id: "ipv6",
    title: "IPv6 cluster",
    possible: nitro,
    ...(nitro ? {} : { why: notNitro(situation) }),
    gained: "unlimited",
    working: `a node takes 1 IPv4 address ${fits} and one /80 of 65,534 in each subnet's /64`,
    nodesAfter: isApart ? "unlimited" : usable,
    maxPods: lowestMaxPods(groups, "ipv6"),
    replace: "the cluster: the address family is fixed when it is made, and workloads move over",
    breaks: [
      "pods have no IPv4 address: what must be reached by IPv4 from outside needs a dual-stack load balancer",
      "IPv4 destinations are reached through the node's own address (ENABLE_V4_EGRESS); DNS64 must be off on the subnets, or NAT64 is paid for",
      "no custom networking, no Windows nodes, no security groups for pods with older CNIs; every type must be Nitro",
      "applications and their libraries must listen on and connect to IPv6 addresses",
    ],
    steps: [
      "associate an IPv6 block with the VPC, a /64 with every subnet, and an egress-only internet gateway",
      "create a new cluster with ipFamily=ipv6 and the CNI's IPv6 policy on its own role",
      "make node groups of Nitro types; turn assignIpv6AddressOnCreation on in their subnets",
      "move workloads and their load balancers (ip-address-type: dualstack), then delete the old cluster",
    ],
  };
}
