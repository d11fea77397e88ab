import type { SubnetShare } from "./footprint.ts";
import type { NodeGroup, SubnetKind, VpcQuestion } from "./vpc-input.ts";

/** What something takes out of a subnet: single addresses and whole /28 blocks. */
export interface Need {
  readonly singles: number;
  readonly blocks: number;
}

/** One line of a subnet's account. */
export interface DemandLine extends Need {
  readonly item: string;
}

/** Where demand lands: the n-th subnet of a kind in a zone. */
export interface Place {
  readonly kind: SubnetKind;
  readonly zone: string;
  /** Which of the subnets of this kind in the zone, and how many there are. */
  readonly index: number;
  readonly of: number;
}

/** How many nodes each group has; `surge` adds an upgrade's nodes, and the control plane's second set of ENIs. */
export interface Moment {
  readonly nodes: readonly number[];
  readonly surge: boolean;
}

/** EKS puts two to four interfaces into a cluster's subnets, and as many again while it replaces them. */
export const controlPlaneEnis = 4;

/** What an application load balancer wants to find free in a subnet to be able to scale (ELB user guide). */
export const addressesPerAlb = 8;

/** Everything that a place must give at a moment, line by line. */
export function demandOf(
  question: VpcQuestion,
  places: readonly Place[],
  place: Place,
  moment: Moment,
): DemandLine[] {
  const has = (kind: SubnetKind): boolean =>
    places.some((each) => each.kind === kind && each.zone === place.zone);
  const lines: DemandLine[] = [];
  if (place.kind === "cluster" || (place.kind === "private" && !has("cluster"))) {
    lines.push(...controlPlaneLines(places, place, moment));
  }
  if (place.kind === "public") lines.push(...publicLines(question, place));
  if (place.kind === "private") {
    lines.push(...nodeLines(question, place, moment, has("pods")), ...serviceLines(question, place));
  }
  if (place.kind === "pods")
    lines.push(...shareLines(question, place, moment, ({ footprint }) => [footprint.inPodSubnet]));
  return lines.filter(({ singles, blocks }) => singles + blocks > 0);
}

export function sumOf(lines: readonly DemandLine[]): Need {
  return lines.reduce(
    (sum, line) => ({ singles: sum.singles + line.singles, blocks: sum.blocks + line.blocks }),
    { singles: 0, blocks: 0 },
  );
}

/** Nodes of a group at a place: zones share evenly, the first ones take what is left over. */
export function nodesAt(question: VpcQuestion, place: Place, nodes: number, surge: boolean): number {
  const { zones, surviveZoneLoss, surgeNodes } = question;
  const zone = zones.indexOf(place.zone);
  const inZone = surviveZoneLoss ? Math.ceil(nodes / (zones.length - 1)) : shareOf(nodes, zones.length, zone);
  const extra = surge && nodes > 0 ? Math.ceil(surgeNodes / zones.length) : 0;
  return shareOf(inZone + extra, place.of, place.index);
}

function shareOf(total: number, parts: number, part: number): number {
  return Math.floor(total / parts) + (part < total % parts ? 1 : 0);
}

function controlPlaneLines(places: readonly Place[], place: Place, { surge }: Moment): DemandLine[] {
  const kind = places.some((each) => each.kind === "cluster") ? "cluster" : "private";
  const homes = places.filter((each) => each.kind === kind).length;
  if (place.kind !== kind) return [];
  const each = Math.ceil(controlPlaneEnis / homes);
  const line = { item: "control plane interfaces", singles: each, blocks: 0 };
  return surge ? [line, { ...line, item: "their replacements in an upgrade" }] : [line];
}

function publicLines(question: VpcQuestion, place: Place): DemandLine[] {
  if (place.index > 0) return [];
  const { loadBalancers, natGateways, zones } = question;
  const hasNat = natGateways === "per-zone" || (natGateways === "single" && place.zone === zones[0]);
  return [
    { item: "NAT gateway", singles: hasNat ? 1 : 0, blocks: 0 },
    ...balancerLines(loadBalancers.publicAlbs, loadBalancers.publicNlbs),
  ];
}

function balancerLines(albs: number, nlbs: number): DemandLine[] {
  return [
    {
      item: `application load balancers (${albs} × ${addressesPerAlb})`,
      singles: albs * addressesPerAlb,
      blocks: 0,
    },
    { item: "network load balancers", singles: nlbs, blocks: 0 },
  ];
}

function serviceLines(question: VpcQuestion, place: Place): DemandLine[] {
  if (place.index > 0) return [];
  const { loadBalancers, interfaceEndpoints, otherAddresses } = question;
  return [
    ...balancerLines(loadBalancers.internalAlbs, loadBalancers.internalNlbs),
    { item: "interface endpoints", singles: interfaceEndpoints, blocks: 0 },
    { item: "other services", singles: otherAddresses, blocks: 0 },
  ];
}

function nodeLines(
  question: VpcQuestion,
  place: Place,
  moment: Moment,
  podsHaveSubnets: boolean,
): DemandLine[] {
  let nodes = 0;
  for (const [index] of question.groups.entries()) {
    nodes += nodesAt(question, place, moment.nodes[index] ?? 0, moment.surge);
  }
  // A zone without a subnet for pods has them in the nodes' subnet.
  const shares = ({ footprint }: NodeGroup): readonly SubnetShare[] =>
    podsHaveSubnets ? [footprint.inNodeSubnet] : [footprint.inNodeSubnet, footprint.inPodSubnet];
  return [
    { item: "node addresses", singles: nodes, blocks: 0 },
    ...shareLines(question, place, moment, shares),
  ];
}

/** What nodes take at a place beside their own addresses. */
function shareLines(
  question: VpcQuestion,
  place: Place,
  moment: Moment,
  sharesOf: (group: NodeGroup) => readonly SubnetShare[],
): DemandLine[] {
  const sum = { enis: 0, pods: 0, warm: 0, branch: 0, blocks: 0 };
  for (const [index, group] of question.groups.entries()) {
    const nodes = nodesAt(question, place, moment.nodes[index] ?? 0, moment.surge);
    for (const share of sharesOf(group)) {
      sum.enis += nodes * share.enis;
      sum.pods += nodes * share.pods;
      sum.warm += nodes * share.warm;
      sum.branch += nodes * share.branch;
      sum.blocks += nodes * share.blocks;
    }
  }
  return [
    { item: "further ENIs of nodes", singles: sum.enis, blocks: 0 },
    { item: "pods", singles: sum.pods, blocks: 0 },
    { item: "warm pools", singles: sum.warm, blocks: 0 },
    { item: "branch ENIs", singles: sum.branch, blocks: 0 },
    { item: "in /28 prefixes, pods and warm", singles: 0, blocks: sum.blocks },
  ];
}
