import { type Cidr4, cidr4Size, cidrsOverlap, formatCidr } from "../addr/cidr.ts";
import { EniverseError } from "../base/error.ts";
import { count, thousands } from "./field.ts";
import { singlesOf } from "./footprint.ts";
import { usableAddresses } from "./free-blocks.ts";
import { type Capacity, capacityOf, formatAll, freeAfter } from "./vpc-capacity.ts";
import { demandOf, type Moment, type Need, type Place, sumOf } from "./vpc-demand.ts";
import {
  type Exhaustion,
  forecast,
  momentAfter,
  nodesAfter,
  overfull,
  roomForNodes,
} from "./vpc-forecast.ts";
import {
  type Growth,
  type PlanVpcInput,
  readVpcInput,
  type SubnetKind,
  type VpcQuestion,
} from "./vpc-input.ts";
import { type LaidSubnet, layOut } from "./vpc-layout.ts";
import {
  type EniConfigObject,
  eniConfigs,
  type RouteTablePlan,
  reservationCommands,
  routeTableOf,
  routeTables,
  tagsOf,
} from "./vpc-objects.ts";
import { awsNodeEnv, type PlanMode, usesPrefixes } from "./warm-settings.ts";

/** One line of a subnet's account; addresses in whole /28 blocks are counted by sixteens. */
export interface BudgetLine {
  readonly item: string;
  readonly now: number;
  /** At the horizon, with an upgrade under way. */
  readonly peak: number;
}

export interface PlannedSubnet {
  readonly name: string;
  readonly kind: SubnetKind;
  readonly zone: string;
  readonly cidr: string;
  /** Addresses of the block, and of these the ones that the VPC gives out. */
  readonly size: number;
  readonly usable: number;
  readonly budget: readonly BudgetLine[];
  readonly usedNow: number;
  readonly usedPeak: number;
  readonly freeNow: number;
  readonly freePeak: number;
  /** Nodes of the group that takes most which fit beside the present ones and an upgrade. */
  readonly roomForNodes?: number;
  /** CIDR reservations of type prefix. */
  readonly prefixReservations: readonly string[];
  readonly tags: Readonly<Record<string, string>>;
  readonly routeTable?: string;
  /** Instances started here get a public address. */
  readonly publicAddresses: boolean;
}

export interface PlanProblem {
  readonly severity: "error" | "warning";
  /** What it is about: a subnet, a block, a setting. */
  readonly about: string;
  readonly text: string;
}

export interface NodeGroupPlan {
  readonly name: string;
  readonly instanceType: string;
  readonly nodes: number;
  readonly nodesAtHorizon: number;
  /** For the kubelet. */
  readonly maxPods?: number;
  /** What one node takes out of subnets at rest. */
  readonly addressesPerNode: number;
  readonly podsPerNode: number;
  readonly warmPerNode: number;
  readonly prefixesPerNode: number;
}

export interface VpcPlan {
  readonly clusterName: string;
  readonly region: string;
  readonly mode: PlanMode;
  readonly vpc: {
    /** The first is the primary block. */
    readonly cidrs: readonly string[];
    readonly ipv6: boolean;
    readonly unallocated: readonly string[];
    /** Network address units in use now; 64,000 is the default limit of a VPC. */
    readonly addressUnits: number;
  };
  readonly serviceCidr: string;
  readonly subnets: readonly PlannedSubnet[];
  readonly routeTables: readonly RouteTablePlan[];
  readonly nodeGroups: readonly NodeGroupPlan[];
  /** Environment of the aws-node DaemonSet. */
  readonly awsNodeEnv: Readonly<Record<string, string>>;
  readonly eniConfigs: readonly EniConfigObject[];
  /** Commands for what CloudFormation has no resource for. */
  readonly commands: readonly string[];
  readonly horizonDays: number;
  /** As it was given; without it nothing runs out. */
  readonly growth?: Growth;
  readonly exhaustion?: Exhaustion;
  readonly problems: readonly PlanProblem[];
  readonly explain: readonly string[];
}

const addressUnitsPerVpc = 64_000;
const enisPerRegion = 5_000;
/** What EKS wants to find free in a cluster's subnet. */
const freeForControlPlane = 6;

/**
 * Lays out the subnets of a cluster, accounts for every address, and says when which subnet runs out. With
 * `subnets` it judges those instead. Input that is wrong or does not fit throws `invalid_argument`; what is
 * possible but will go wrong is among the `problems`.
 */
export function planVpc(input: PlanVpcInput): VpcPlan {
  const question = readVpcInput(input);
  const peak = momentAfter(question, question.horizonDays);
  const layout = layOut(question, peak);
  const places = layout.subnets.map(({ place }) => place);
  const withCapacity = layout.subnets.map((subnet) => ({
    ...subnet,
    capacity: capacityOf(subnet.cidr, subnet.reservations, subnet.usedByOthers),
  }));
  const now: Moment = { nodes: nodesAfter(question, 0), surge: false };
  const subnets = withCapacity.map((subnet) => {
    const room = roomForNodes(question, withCapacity, subnet);
    return {
      ...accountOf(question, places, subnet, now, peak),
      ...(room === undefined ? {} : { roomForNodes: room }),
    };
  });
  const exhaustion = forecast(question, withCapacity);
  const cidrs = [question.vpcCidr, ...layout.podCidrs];
  const nodesAtHorizon = nodesAfter(question, question.horizonDays);
  const addressUnits = unitsOf(question);
  return {
    clusterName: question.clusterName,
    region: question.region,
    mode: question.mode,
    vpc: {
      cidrs: formatAll(cidrs),
      ipv6: question.mode === "ipv6",
      unallocated: formatAll(layout.unallocated),
      addressUnits,
    },
    serviceCidr: formatCidr(question.serviceCidr),
    subnets,
    routeTables: routeTables(question, layout.subnets),
    nodeGroups: question.groups.map((group, index) => ({
      name: group.name,
      instanceType: group.instanceType,
      nodes: group.nodes,
      nodesAtHorizon: nodesAtHorizon[index] ?? group.nodes,
      ...(group.maxPods === undefined ? {} : { maxPods: group.maxPods }),
      addressesPerNode: group.footprint.addresses,
      podsPerNode: group.footprint.pods,
      warmPerNode: group.footprint.warm,
      prefixesPerNode: group.footprint.prefixes,
    })),
    awsNodeEnv: {
      ...awsNodeEnv(question.mode, question.warm),
      ...(question.groups.some(({ branchPods }) => branchPods > 0) ? { ENABLE_POD_ENI: "true" } : {}),
    },
    eniConfigs: eniConfigs(question, layout.subnets),
    commands: layout.subnets.flatMap((subnet) => reservationCommands(question, subnet)),
    horizonDays: question.horizonDays,
    ...(question.growth === undefined ? {} : { growth: question.growth }),
    ...(exhaustion === undefined ? {} : { exhaustion }),
    problems: problemsOf(question, cidrs, withCapacity, subnets, exhaustion, addressUnits),
    explain: explain(question, subnets, exhaustion),
  };
}

/** Throws `exhausted` when a plan has errors, all of them in the message: for programs that must not go on. */
export function assertPlan(plan: Pick<VpcPlan, "problems" | "clusterName">): void {
  const errors = plan.problems.filter(({ severity }) => severity === "error");
  if (errors.length === 0) return;
  throw new EniverseError("exhausted", {
    attempted: `build the network of ${plan.clusterName}`,
    found: errors.map(({ text }) => text).join("; "),
    wanted: "a plan without errors",
  });
}

type SubnetWithCapacity = LaidSubnet & { readonly capacity: Capacity };

function accountOf(
  question: VpcQuestion,
  places: readonly Place[],
  subnet: SubnetWithCapacity,
  now: Moment,
  peak: Moment,
): PlannedSubnet {
  const { place, cidr, capacity } = subnet;
  const [before, after] = [now, peak].map((moment) => demandOf(question, places, place, moment));
  const items = [...new Set([...(before ?? []), ...(after ?? [])].map(({ item }) => item))];
  const addressesOf = (lines: typeof before, item: string): number => {
    const line = lines?.find((each) => each.item === item);
    return line === undefined ? 0 : addresses(line);
  };
  const others = subnet.usedByOthers;
  const budget: BudgetLine[] = [
    { item: "kept by the VPC", now: 5, peak: 5 },
    ...(others > 0 ? [{ item: "in use by others", now: others, peak: others }] : []),
    ...items.map((item) => ({ item, now: addressesOf(before, item), peak: addressesOf(after, item) })),
  ];
  const needNow = sumOf(before ?? []);
  const needPeak = sumOf(after ?? []);
  const routeTable = routeTableOf(question, subnet);
  return {
    name: subnet.name,
    kind: place.kind,
    zone: place.zone,
    cidr: formatCidr(cidr),
    size: cidr4Size(cidr),
    usable: usableAddresses(cidr.bits),
    budget,
    usedNow: addresses(needNow) + others,
    usedPeak: addresses(needPeak) + others,
    freeNow: freeAfter(capacity, needNow),
    freePeak: freeAfter(capacity, needPeak),
    prefixReservations: formatAll(subnet.reservations),
    tags: tagsOf(question, subnet),
    ...(routeTable === undefined ? {} : { routeTable }),
    publicAddresses: place.kind === "public",
  };
}

function addresses(need: Need): number {
  return need.singles + need.blocks * 16;
}

/** One unit for each address, prefix and further ENI (VPC user guide, network address usage). */
function unitsOf(question: VpcQuestion): number {
  return question.groups.reduce((sum, { footprint, nodes }) => {
    const singles = 1 + singlesOf(footprint.inNodeSubnet) + singlesOf(footprint.inPodSubnet);
    return sum + nodes * (singles + footprint.prefixes + (footprint.enis - 1));
  }, 0);
}

function problemsOf(
  question: VpcQuestion,
  cidrs: readonly Cidr4[],
  withCapacity: readonly SubnetWithCapacity[],
  subnets: readonly PlannedSubnet[],
  exhaustion: Exhaustion | undefined,
  addressUnits: number,
): PlanProblem[] {
  const problems: PlanProblem[] = [];
  const add = (severity: PlanProblem["severity"], about: string, text: string): void => {
    problems.push({ severity, about, text });
  };
  for (const other of question.others) {
    if (other.kind === "existing") continue;
    for (const cidr of cidrs.filter((each) => cidrsOverlap(each, other.cidr))) {
      add(
        "error",
        formatCidr(cidr),
        `${formatCidr(cidr)} of the VPC overlaps ${formatCidr(other.cidr)} of ${other.name} (${other.kind}): no route can tell them apart`,
      );
    }
    if (cidrsOverlap(question.serviceCidr, other.cidr)) {
      add(
        "warning",
        "serviceCidr",
        `services (${formatCidr(question.serviceCidr)}) overlap ${formatCidr(other.cidr)} of ${other.name}: pods cannot reach that range`,
      );
    }
  }
  const fullNow = overfull(question, withCapacity, { nodes: nodesAfter(question, 0), surge: true });
  for (const name of fullNow) {
    const subnet = subnets.find((each) => each.name === name);
    if (subnet !== undefined) add("error", name, fullText(question, subnet));
  }
  if (exhaustion !== undefined && exhaustion.day > 0 && exhaustion.day <= question.horizonDays) {
    const when = exhaustion.date ?? `day ${exhaustion.day}`;
    add(
      "error",
      exhaustion.subnets.join(", "),
      `${exhaustion.subnets.join(", ")} will run out at node ${exhaustion.nodes}, on ${when}, before the horizon of ${question.horizonDays} days`,
    );
  }
  for (const { kind, name, freeNow } of subnets) {
    if (kind === "cluster" && freeNow < freeForControlPlane) {
      add(
        "error",
        name,
        `${name} has ${freeNow} free addresses; EKS asks for ${freeForControlPlane} in every cluster subnet`,
      );
    }
  }
  if (!subnets.some(({ kind }) => kind === "cluster")) {
    add(
      "warning",
      "cluster subnets",
      "the control plane's interfaces share subnets with nodes: a full subnet then blocks upgrades",
    );
  }
  const unreserved = withCapacity.filter(
    ({ reservations, place }) => reservations.length === 0 && takesPrefixes(question, place, withCapacity),
  );
  for (const { name } of unreserved) {
    add(
      "warning",
      name,
      `no CIDR reservation of type prefix is known in ${name}: single addresses lie anywhere and break its /28 blocks up`,
    );
  }
  if (addressUnits > addressUnitsPerVpc) {
    add(
      "warning",
      "VPC",
      `${thousands(addressUnits)} network address units are above the VPC's default limit of ${thousands(addressUnitsPerVpc)}: ask for more`,
    );
  }
  const enis = question.groups.reduce((sum, { nodes, footprint }) => sum + nodes * footprint.enis, 0);
  if (enis > enisPerRegion) {
    add(
      "warning",
      "ENIs",
      `${thousands(enis)} ENIs are above the region's default limit of ${thousands(enisPerRegion)}: ask for more`,
    );
  }
  return problems;
}

function takesPrefixes(question: VpcQuestion, place: Place, subnets: readonly LaidSubnet[]): boolean {
  if (!usesPrefixes(question.mode)) return false;
  if (place.kind === "pods") return true;
  return (
    place.kind === "private" &&
    !subnets.some((other) => other.place.kind === "pods" && other.place.zone === place.zone)
  );
}

function fullText(question: VpcQuestion, subnet: PlannedSubnet): string {
  const need = subnet.budget
    .filter(({ item, now }) => item !== "kept by the VPC" && now > 0)
    .map(({ item, now }) => `${thousands(now)} ${item}`);
  const reason =
    subnet.freeNow < 0
      ? `needs ${thousands(subnet.usedNow)} of ${thousands(subnet.usable)} addresses (${need.join(", ")})`
      : usesPrefixes(question.mode) && subnet.prefixReservations.length === 0
        ? "has the addresses, but chance will not leave it enough whole /28 blocks beside the single addresses"
        : `has ${thousands(subnet.freeNow)} free addresses, too few for an upgrade's further nodes`;
  return `${subnet.name} (${subnet.cidr}) ${reason}`;
}

function explain(
  question: VpcQuestion,
  subnets: readonly PlannedSubnet[],
  exhaustion: Exhaustion | undefined,
): string[] {
  const total = question.groups.reduce((sum, { nodes }) => sum + nodes, 0);
  const atHorizon = nodesAfter(question, question.horizonDays).reduce((sum, nodes) => sum + nodes, 0);
  return [
    ...question.groups.map(({ name, footprint }) => `one node of ${name}: ${footprint.explain}`),
    `${count(total, "node")} over ${question.zones.length} zones; ${thousands(atHorizon)} after ${question.horizonDays} days; an upgrade adds ${question.surgeNodes} to each group`,
    ...(question.surviveZoneLoss
      ? [`every zone has room for its share of the nodes of a lost one: nodes / ${question.zones.length - 1}`]
      : []),
    ...subnets.map((subnet) => {
      const lines = subnet.budget.map(({ item, peak }) => `${thousands(peak)} ${item}`).join(" + ");
      return `${subnet.name} ${subnet.cidr} at its peak: ${lines} = ${thousands(subnet.usedPeak + 5)} of ${thousands(subnet.size)}`;
    }),
    exhaustion === undefined
      ? question.growth === undefined
        ? "no growth was given: nothing runs out"
        : "nothing runs out within ten years"
      : `first to run out: ${exhaustion.subnets.join(", ")} on day ${exhaustion.day}${exhaustion.date === undefined ? "" : ` (${exhaustion.date})`}, with ${thousands(exhaustion.nodes)} nodes`,
  ];
}
