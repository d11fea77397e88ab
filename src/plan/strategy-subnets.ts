import { type Cidr4, formatCidr } from "../addr/cidr.ts";
import { podAddresses } from "../limits/max-pods.ts";
import { thousands } from "./field.ts";
import { addressesOf } from "./footprint.ts";
import { usableAddresses } from "./free-blocks.ts";
import { holdingOf, lowestMaxPods, maxPodsText, nodesIn, savingText } from "./strategy-groups.ts";
import type { Situation } from "./strategy-input.ts";
import type { Draft } from "./strategy-option.ts";
import { evenBlocks, roomIn, secondaryBlocks } from "./strategy-room.ts";
import { hasPodSubnets, isCustom, type PlanMode, usesPrefixes } from "./warm-settings.ts";

/** Subnets in what the VPC's blocks have left. */
export function moreSubnets(situation: Situation): Draft {
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
    nodesAfter: nodes + nodesIn(free, now.whereThePodsAre, now) + roomIn(blocks, now),
    maxPods: lowestMaxPods(groups, mode),
    replace: replacedForSubnets(mode),
    breaks: [
      "rules by CIDR (security groups, NACLs, firewalls) must learn the new blocks",
      ...(isCustom(mode) ? [] : ["the CNI must be 1.18 or later to choose subnets by tag"]),
    ],
    steps: [
      ...names.map(
        (name, index) =>
          `create ${name} in ${zones[index % zones.length]}, with the route table of the present subnets`,
      ),
      ...useOfSubnets(mode),
      ...(hasPodSubnets(mode)
        ? []
        : ["tag them kubernetes.io/role/internal-elb=1, and add them to the node groups for new nodes"]),
    ],
  };
}

/** Subnets in a block that the VPC does not have yet. */
export function secondaryCidr(situation: Situation): Draft {
  const { zones, nodes, free, now, mode, groups } = situation;
  const { nodesWanted } = situation;
  const inPlace = nodes + nodesIn(free, now.whereThePodsAre, now);
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
    replace: replacedForSubnets(mode),
    breaks: [
      ...secondaryBreaks,
      ...(hasPodSubnets(mode)
        ? []
        : [
            "a node's first ENI stays in the node's own subnet and goes on taking addresses there, unless new nodes start in the new subnets",
          ]),
    ],
    steps:
      first === undefined
        ? []
        : [
            ...secondarySteps(situation, cidrs, blocks),
            ...useOfSubnets(mode),
            ...(hasPodSubnets(mode) ? [] : ["add them to the node groups for new nodes"]),
          ],
  };
}

/** Pods in subnets of their own, which ENIConfigs name. */
export function customNetworking(situation: Situation): Draft {
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
  const isApart = hasPodSubnets(mode);
  const possible = !isApart && cidr !== undefined && lost === undefined;
  const base: Omit<Draft, "gained" | "working" | "nodesAfter"> = {
    id: "custom-networking",
    title: "Custom networking",
    possible,
    ...(possible
      ? {}
      : {
          why: isApart
            ? "pods have subnets of their own already"
            : cidr === undefined
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
            ...secondarySteps(situation, [cidr], blocks),
            "no tag kubernetes.io/role/cni: ENIConfigs name the subnets",
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
    working: `the nodes' subnets get back ${savingText(
      now,
      after,
      ({ addresses }) => addresses,
      ({ inNodeSubnet }) => 1 + addressesOf(inNodeSubnet),
    )} = ${thousands(freed)} of ${thousands(usable)}; ${blocks.map(formatCidr).join(", ")} have ${thousands(inPods)} for pods, of which ${thousands(after.inPodSubnets)} are taken at once`,
    nodesAfter: Math.min(
      nodesIn(Math.min(free + now.addresses, usable), after.inNodeSubnets, now),
      nodesIn(inPods, after.inPodSubnets, now),
    ),
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

function secondarySteps({ zones }: Situation, cidrs: readonly Cidr4[], blocks: readonly Cidr4[]): string[] {
  return [
    ...cidrs.map((cidr) => `aws ec2 associate-vpc-cidr-block --vpc-id VPC --cidr-block ${formatCidr(cidr)}`),
    ...blocks.map(
      (block, index) =>
        `create ${formatCidr(block)} in ${zones[index % zones.length]}, with a route to the NAT gateway of the zone`,
    ),
  ];
}

function replacedForSubnets(mode: PlanMode): string {
  return isCustom(mode)
    ? "nothing at once: nodes that are to use the new subnets must choose the new ENIConfigs"
    : "nothing: new ENIs and new nodes use the new subnets";
}

/** How aws-node comes to use new subnets for pods. */
function useOfSubnets(mode: PlanMode): string[] {
  return isCustom(mode)
    ? [
        "create a second ENIConfig a zone that names the new subnet there",
        "make node groups whose nodes choose it, by the label or annotation that ENI_CONFIG_LABEL_DEF or ENI_CONFIG_ANNOTATION_DEF names",
      ]
    : ["tag the new subnets kubernetes.io/role/cni=1, so that aws-node (1.18 or later) creates ENIs there"];
}
