import { type Cidr4, formatCidr } from "../addr/cidr.ts";
import { supportsPrefixDelegation } from "../limits/instance-types.ts";
import { podAddresses } from "../limits/max-pods.ts";
import { badField, thousands } from "./field.ts";
import { addressesOf } from "./footprint.ts";
import { usableAddresses } from "./free-blocks.ts";
import {
  type Holding,
  holdingOf,
  lowestMaxPods,
  maxPodsText,
  nodesIn,
  savingText,
} from "./strategy-groups.ts";
import type { Situation } from "./strategy-input.ts";
import { evenBlocks, overlapWithPeers, roomIn, secondaryBlocks } from "./strategy-room.ts";
import { describeWarm, type PlanMode, usesPrefixes, type WarmSettings } from "./warm-settings.ts";

export type StrategyId =
  | "fewer-warm"
  | "prefix-delegation"
  | "more-subnets"
  | "secondary-cidr"
  | "custom-networking"
  | "private-nat"
  | "ipv6";

/** One way out, worked out for the situation. */
export interface StrategyOption {
  readonly id: StrategyId;
  readonly title: string;
  /** False: it cannot be done here, and `why` says why not. */
  readonly possible: boolean;
  readonly why?: string;
  /** Addresses that pods and nodes can have beside today's; below zero it costs some. */
  readonly gained: number | "unlimited";
  /** How the gain was worked out, with the numbers put in. */
  readonly working: string;
  /** Nodes with as many pods as now that fit in all. */
  readonly nodesAfter: number | "unlimited";
  /** There is room for the nodes that are wanted. */
  readonly fits: boolean;
  /** Pods that a node takes at most then: of several types the lowest. */
  readonly maxPods: number | undefined;
  readonly replace: string;
  readonly breaks: readonly string[];
  readonly steps: readonly string[];
}

type Draft = Omit<StrategyOption, "fits" | "nodesAfter"> & { readonly nodesAfter: number | "unlimited" };

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
  return others.reduce((best, each) => (each.after.addresses < best.after.addresses ? each : best), first);
}

function fewerWarm(situation: Situation): Draft {
  const { nodes, free, now, mode, groups } = situation;
  const { warm, after } = gentlest(situation);
  const gained = now.addresses - after.addresses;
  const warmNow = now.groups.map(({ footprint }) => footprint.warm).join(", ");
  return {
    id: "fewer-warm",
    title: "Fewer warm addresses",
    possible: gained > 0,
    ...(gained > 0 ? {} : { why: `the nodes keep only ${warmNow} warm addresses each already` }),
    gained,
    working: `${savingText(now, after, ({ addresses }) => addresses)} with ${describeWarm(mode, warm)} = ${thousands(gained)}`,
    nodesAfter: nodes + nodesIn(free + Math.max(gained, 0), after.addresses, now),
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
  const after = nitro && !isThere ? holdingOf(groups, "prefix", warm) : now;
  const gained = now.addresses - after.addresses;
  const blocksWanted = after.prefixes;
  const whole = Math.floor(blocksFree);
  const from = maxPodsText(groups, mode);
  const to = maxPodsText(groups, "prefix");
  const sign = gained < 0 ? "costs" : "gains";
  return {
    id: "prefix-delegation",
    title: "Prefix delegation",
    possible: nitro && !isThere,
    ...(isThere ? { why: "prefixes are on already" } : nitro ? {} : { why: notNitro(situation) }),
    gained,
    working: `${savingText(now, after, ({ addresses }) => addresses)} with prefixes and WARM_IP_TARGET=2: it ${sign} ${thousands(Math.abs(gained))}; it makes nodes denser (${from} → ${to} pods), not the subnet larger`,
    nodesAfter: nodesIn(free + now.addresses, after.addresses, now),
    maxPods: lowestMaxPods(groups, "prefix"),
    replace: "all nodes: new node groups with the new max-pods, then drain the old ones",
    breaks: [
      `${blocksCounted ? "" : "by chance about "}${whole} whole /28 blocks are left, ${thousands(blocksWanted)} are wanted${whole < blocksWanted ? ": InsufficientCidrBlocks until old nodes are gone" : ""}`,
      "a prefix goes back only when its last pod is gone: half-empty ones hold 16 addresses",
      "max-pods must be raised on the nodes, or they stay at the old number",
      "the CNI must not be taken below 1.9 while nodes hold prefixes",
    ],
    steps: [
      `reserve room for prefixes in each subnet (eniverse plan fragmentation --blocks ${Math.ceil(blocksWanted / Math.max(situation.subnets.length, 1))})`,
      "kubectl set env daemonset aws-node -n kube-system ENABLE_PREFIX_DELEGATION=true WARM_IP_TARGET=2",
      `make new node groups with --max-pods=${to}`,
      "cordon and drain the old groups, then delete them; no rolling replacement within a group",
      ...(whole < blocksWanted
        ? [`better in new subnets: ${thousands(usable)} addresses in use by chance leave few whole blocks`]
        : []),
    ],
  };
}

function notNitro({ groups }: Situation): string {
  const types = groups
    .filter(({ limits }) => !supportsPrefixDelegation(limits))
    .map(({ limits }) => limits.instanceType);
  return types.length === 1 ? `${types[0]} is not a Nitro type` : `${types.join(", ")} are no Nitro types`;
}

function moreSubnets(situation: Situation): Draft {
  const { zones, vpcCidrs, vpcKnown, taken, nodes, free, now, mode, groups } = situation;
  const blocks = vpcKnown ? evenBlocks(vpcCidrs, taken, zones.length) : [];
  const gained = blocks.reduce((sum, { bits }) => sum + usableAddresses(bits), 0);
  const names = blocks.map(formatCidr);
  const isWorthIt = roomIn(blocks, now) > 0;
  return {
    id: "more-subnets",
    title: "More subnets in the VPC",
    possible: isWorthIt,
    ...(isWorthIt ? {} : { why: vpcKnown ? noRoomInVpc : "the VPC's blocks were not told (vpcCidrs)" }),
    gained,
    working: `free in ${vpcCidrs.map(formatCidr).join(", ")}: ${names.join(", ") || "nothing"} = ${thousands(gained)} addresses`,
    nodesAfter: nodes + nodesIn(free, now.addresses, now) + roomIn(blocks, now),
    maxPods: lowestMaxPods(groups, mode),
    replace: "nothing: new ENIs and new nodes use the new subnets",
    breaks: [
      "rules by CIDR (security groups, NACLs, firewalls) must learn the new blocks",
      "the CNI must be 1.18 or later to choose subnets by tag",
    ],
    steps: [
      ...names.map(
        (name, index) =>
          `create ${name} in ${zones[index % zones.length]}, with the route table of the present subnets`,
      ),
      "tag the new subnets kubernetes.io/role/cni=1, so that aws-node creates ENIs there",
      "tag them kubernetes.io/role/internal-elb=1, and add them to the node groups for new nodes",
    ],
  };
}

function secondaryCidr(situation: Situation): Draft {
  const { zones, nodes, free, now, mode, groups } = situation;
  const { nodesWanted } = situation;
  const inPlace = nodes + nodesIn(free, now.addresses, now);
  let cidrs = secondaryBlocks(situation, 1);
  let blocks = cidrs.flatMap((cidr) => evenBlocks([cidr], [], zones.length));
  for (let count = 2; count <= 4 && inPlace + roomIn(blocks, now) < nodesWanted; count++) {
    cidrs = secondaryBlocks(situation, count);
    blocks = cidrs.flatMap((cidr) => evenBlocks([cidr], [], zones.length));
  }
  const [first] = cidrs;
  const gained = blocks.reduce((sum, { bits }) => sum + usableAddresses(bits), 0);
  return {
    id: "secondary-cidr",
    title: "Secondary CIDR",
    possible: first !== undefined,
    ...(first === undefined ? { why: noSecondaryBlock } : {}),
    gained,
    working: `${cidrs.map(formatCidr).join(", ") || "no block"}: ${blocks.map(formatCidr).join(", ")} = ${thousands(gained)} addresses`,
    nodesAfter: inPlace + roomIn(blocks, now),
    maxPods: lowestMaxPods(groups, mode),
    replace: "nothing: new ENIs and new nodes use the new subnets",
    breaks: [
      ...secondaryBreaks,
      "a node's first ENI stays in the node's own subnet and goes on taking addresses there, unless new nodes start in the new subnets",
    ],
    steps:
      first === undefined
        ? []
        : secondarySteps(
            situation,
            cidrs,
            blocks,
            "tag the new subnets kubernetes.io/role/cni=1, so that aws-node (1.18 or later) creates ENIs there, and add them to the node groups",
          ),
  };
}

function customNetworking(situation: Situation): Draft {
  const { zones, nodes, usable, free, now, mode, groups, nitro } = situation;
  const [cidr] = secondaryBlocks(situation, 1);
  const blocks = cidr === undefined ? [] : evenBlocks([cidr], [], zones.length);
  const fitsPlainly = groups.every(
    ({ limits, pods }) => pods <= podAddresses(limits, { customNetworking: true }),
  );
  const to: PlanMode = !usesPrefixes(mode) && fitsPlainly ? "custom" : "custom-prefix";
  const lost = groups.find(({ limits, pods }) => {
    const options = { customNetworking: true, prefixDelegation: to === "custom-prefix" && nitro };
    return limits.enis < 2 || pods > podAddresses(limits, options);
  });
  const possible = cidr !== undefined && lost === undefined;
  const base: Omit<Draft, "gained" | "working" | "nodesAfter"> = {
    id: "custom-networking",
    title: "Custom networking",
    possible,
    ...(possible
      ? {}
      : {
          why:
            cidr === undefined
              ? noSecondaryBlock
              : `one ENI of ${lost?.limits.instanceType} is lost, and ${lost?.pods} pods do not fit on the others`,
        }),
    maxPods: lowestMaxPods(groups, to),
    replace: "all nodes: those that are there keep their pods on the primary ENI until they go",
    breaks: [
      `a node takes ${maxPodsText(groups, to)} pods instead of ${maxPodsText(groups, mode)}: the primary ENI carries none`,
      ...(to === "custom-prefix" && mode === "secondary-ip"
        ? ["it takes prefixes too, to fit as many pods on the ENIs that are left"]
        : []),
      "a zone without its ENIConfig gets no pods at all: aws-node never becomes ready there",
      ...secondaryBreaks,
    ],
    steps:
      cidr === undefined
        ? []
        : [
            ...secondarySteps(
              situation,
              [cidr],
              blocks,
              "no tag kubernetes.io/role/cni: ENIConfigs name the subnets",
            ),
            `create one ENIConfig a zone, named ${zones.join(", ")} (eniverse plan vpc --mode ${to} -o eniconfig)`,
            `kubectl set env daemonset aws-node -n kube-system AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true ENI_CONFIG_LABEL_DEF=topology.kubernetes.io/zone${to === "custom-prefix" ? " ENABLE_PREFIX_DELEGATION=true" : ""}`,
            `make new node groups with --max-pods=${maxPodsText(groups, to)}, drain the old ones`,
          ],
  };
  if (!possible) return { ...base, gained: 0, working: base.why ?? "", nodesAfter: nodes };
  const after = holdingOf(groups, to, to === mode ? situation.warm : {});
  const inPods = blocks.reduce((sum, { bits }) => sum + usableAddresses(bits), 0);
  const freed = now.addresses - after.inNodeSubnets;
  return {
    ...base,
    gained: freed + inPods - after.inPodSubnets,
    working: `the nodes' subnets get back ${savingText(now, after, ({ inNodeSubnet }) => 1 + addressesOf(inNodeSubnet))} = ${thousands(freed)} of ${thousands(usable)}; ${blocks.map(formatCidr).join(", ")} have ${thousands(inPods)} for pods, of which ${thousands(after.inPodSubnets)} are taken at once`,
    nodesAfter: Math.min(
      nodesIn(free + now.addresses, after.inNodeSubnets, now),
      nodesIn(inPods, after.inPodSubnets, now),
    ),
  };
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
    nodesAfter: nodes + nodesIn(free, now.addresses, now),
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
  const { nitro, groups, usable } = situation;
  return {
    id: "ipv6",
    title: "IPv6 cluster",
    possible: nitro,
    ...(nitro ? {} : { why: notNitro(situation) }),
    gained: "unlimited",
    working: `a node takes 1 IPv4 address (${thousands(usable)} nodes fit in the subnets of today) and one /80 of 65,534 in each subnet's /64`,
    nodesAfter: usable,
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

const noRoomInVpc = "the VPC's blocks have no room that one node would fit in";

const noSecondaryBlock =
  "every /16 of 100.64.0.0/10 and 198.19.0.0/16 overlaps a peer or an on-premises range";

const secondaryBreaks: readonly string[] = [
  "peers and on-premises networks cannot reach pods by these addresses unless they route them",
  "with AWS_VPC_K8S_CNI_EXTERNALSNAT=true pods leave with addresses that nobody outside routes",
  "EKS can take up to five hours to know a new block of the VPC",
];

function secondarySteps(
  { zones }: Situation,
  cidrs: readonly Cidr4[],
  blocks: readonly Cidr4[],
  tag: string,
): string[] {
  return [
    ...cidrs.map((cidr) => `aws ec2 associate-vpc-cidr-block --vpc-id VPC --cidr-block ${formatCidr(cidr)}`),
    ...blocks.map(
      (block, index) =>
        `create ${formatCidr(block)} in ${zones[index % zones.length]}, with a route to the NAT gateway of the zone`,
    ),
    tag,
  ];
}
