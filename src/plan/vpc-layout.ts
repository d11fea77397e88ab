import {
  type Cidr4,
  cidr4,
  cidr4Size,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr4,
} from "../addr/cidr.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { checkSecondaryBlock } from "../cloud/model/vpc-cidr-rules.ts";
import { badField, thousands } from "./field.ts";
import { FreeSpace } from "./free-space.ts";
import { reserveAtEnd, smallestBits } from "./vpc-capacity.ts";
import { demandOf, type Moment, type Need, type Place, sumOf } from "./vpc-demand.ts";
import type { SubnetKind, VpcQuestion } from "./vpc-input.ts";
import { hasPodSubnets, usesPrefixes } from "./warm-settings.ts";

/** A subnet that has its block. */
export interface LaidSubnet {
  readonly name: string;
  readonly place: Place;
  readonly cidr: Cidr4;
  /** Prefix reservations. */
  readonly reservations: readonly Cidr4[];
  readonly usedByOthers: number;
}

export interface Layout {
  readonly podCidrs: readonly Cidr4[];
  readonly subnets: readonly LaidSubnet[];
  /** What the VPC's blocks have left. */
  readonly unallocated: readonly Cidr4[];
}

/** The smallest subnet that an application load balancer takes (ELB user guide). */
const albSubnetBits = 27;
const smallestSubnetBits = 28;
/** A VPC has five blocks at most by default, the primary one among them. */
const mostPodCidrs = 4;

/** Lays the subnets out, or takes the given ones; throws `invalid_argument` when they do not fit. */
export function layOut(question: VpcQuestion, peak: Moment): Layout {
  return question.subnets === undefined ? newLayout(question, peak) : givenLayout(question);
}

function kindsOf(question: VpcQuestion): readonly SubnetKind[] {
  const { loadBalancers, natGateways } = question;
  const hasPublic = natGateways !== "none" || loadBalancers.publicAlbs + loadBalancers.publicNlbs > 0;
  return [
    "cluster",
    ...(hasPublic ? ["public" as const] : []),
    "private",
    ...(hasPodSubnets(question.mode) ? ["pods" as const] : []),
  ];
}

function newLayout(question: VpcQuestion, peak: Moment): Layout {
  const kinds = kindsOf(question);
  const places = kinds.flatMap((kind) =>
    question.zones.map((zone): Place => ({ kind, zone, index: 0, of: 1 })),
  );
  const needs = new Map(kinds.map((kind) => [kind, needOf(question, places, kind, peak)]));
  let sizes = sizesOf(question, kinds, needs);
  let layout = allocate(question, places, sizes);
  if (layout === undefined) throw doesNotFit(question, places, sizes);
  for (const kind of question.fill ? (["pods", "private"] as const) : []) {
    for (let bits = (sizes.get(kind) ?? 16) - 1; bits >= 16; bits--) {
      const larger = new Map(sizes).set(kind, bits);
      const next = sizes.has(kind) ? allocate(question, places, larger) : undefined;
      if (next === undefined) break;
      layout = next;
      sizes = larger;
    }
  }
  return {
    ...layout,
    subnets: layout.subnets.map((subnet) => withReservations(question, subnet, needs.get(subnet.place.kind))),
  };
}

function sizesOf(
  question: VpcQuestion,
  kinds: readonly SubnetKind[],
  needs: ReadonlyMap<SubnetKind, Need>,
): Map<SubnetKind, number> {
  const sizes = new Map(
    kinds.map((kind) => [kind, bitsOf(question, kind, needs.get(kind) ?? { singles: 0, blocks: 0 })]),
  );
  const [pods, nodes] = [sizes.get("pods"), sizes.get("private")];
  // aws-node makes an ENI in the subnet with most free addresses: that must be the pods'.
  if (question.mode === "discovery" && pods !== undefined && nodes !== undefined) {
    sizes.set("pods", Math.min(pods, Math.max(nodes - 1, 16)));
  }
  return sizes;
}

/** The largest need of a kind over all zones, with headroom: every zone gets the same size. */
function needOf(question: VpcQuestion, places: readonly Place[], kind: SubnetKind, peak: Moment): Need {
  const share = 1 + question.headroomPercent / 100;
  const needs = places
    .filter((place) => place.kind === kind)
    .map((place) => sumOf(demandOf(question, places, place, peak)));
  // EKS has its own sizes for its interfaces; head-room is for what grows.
  const factor = kind === "cluster" ? 1 : share;
  return {
    singles: Math.ceil(Math.max(0, ...needs.map(({ singles }) => singles)) * factor),
    blocks: Math.ceil(Math.max(0, ...needs.map(({ blocks }) => blocks)) * factor),
  };
}

function bitsOf(question: VpcQuestion, kind: SubnetKind, need: Need): number {
  // Public subnets are there for load balancers, today or tomorrow.
  const hasAlb = kind === "public" || (kind === "private" && question.loadBalancers.internalAlbs > 0);
  const bits = smallestBits(need, hasAlb ? albSubnetBits : smallestSubnetBits);
  if (bits !== undefined) return bits;
  throw badField(
    "nodeGroups",
    `the ${kind} subnet of one zone would need ${thousands(need.singles)} addresses${need.blocks > 0 ? ` and ${thousands(need.blocks)} /28 blocks` : ""} (peak at the horizon, with head-room)`,
    "at most what a /16 has: 65,531 addresses",
    "Take more zones, fewer warm addresses, larger nodes, or IPv6",
  );
}

function allocate(
  question: VpcQuestion,
  places: readonly Place[],
  sizes: ReadonlyMap<SubnetKind, number>,
): Layout | undefined {
  const pods = places.filter(({ kind }) => kind === "pods");
  const main = allocateIn(
    [question.vpcCidr],
    question,
    places.filter(({ kind }) => kind !== "pods"),
    sizes,
  );
  if (main === undefined) return undefined;
  if (pods.length === 0) return { podCidrs: [], ...main };
  const chosen = question.podCidrs ?? podCidrCandidates(question);
  checkPodCidrs(question, question.podCidrs ?? []);
  const fewest = question.podCidrs === undefined ? 1 : chosen.length;
  for (let count = fewest; count <= Math.min(chosen.length, mostPodCidrs); count++) {
    const podCidrs = chosen.slice(0, count);
    const second = allocateIn(podCidrs, question, pods, sizes);
    if (second === undefined) continue;
    return {
      podCidrs,
      subnets: [...main.subnets, ...second.subnets],
      unallocated: [...main.unallocated, ...second.unallocated],
    };
  }
  return undefined;
}

function allocateIn(
  blocks: readonly Cidr4[],
  question: VpcQuestion,
  places: readonly Place[],
  sizes: ReadonlyMap<SubnetKind, number>,
): Omit<Layout, "podCidrs"> | undefined {
  const space = new FreeSpace(blocks);
  for (const { cidr, kind } of question.others) if (kind === "existing") space.occupy(cidr);
  const subnets: LaidSubnet[] = [];
  // The largest first: then halves of halves never leave a gap that is too small.
  const bitsOfPlace = ({ kind }: Place): number => sizes.get(kind) ?? smallestSubnetBits;
  for (const place of places.toSorted((a, b) => bitsOfPlace(a) - bitsOfPlace(b))) {
    const cidr = space.take(bitsOfPlace(place));
    if (cidr === undefined) return undefined;
    subnets.push({
      name: `${place.kind}-${place.zone.slice(-1)}`,
      place,
      cidr,
      reservations: [],
      usedByOthers: 0,
    });
  }
  return { subnets, unallocated: space.blocks };
}

function withReservations(question: VpcQuestion, subnet: LaidSubnet, need: Need | undefined): LaidSubnet {
  if (need === undefined || need.blocks === 0 || !usesPrefixes(question.mode)) return subnet;
  return { ...subnet, reservations: reserveAtEnd(subnet.cidr, need) ?? [] };
}

/** Shared address space first, 64 blocks of /16; then the range that VPCs may use beside RFC 1918. */
function podCidrCandidates(question: VpcQuestion): Cidr4[] {
  const candidates = [
    ...Array.from({ length: 64 }, (_, index) => `100.${64 + index}.0.0/16`),
    "198.19.0.0/16",
  ].map(parseCidr4);
  const isFree = (cidr: Cidr4): boolean =>
    !question.others.some((other) => other.kind !== "existing" && cidrsOverlap(other.cidr, cidr)) &&
    !cidrsOverlap(question.serviceCidr, cidr) &&
    secondaryFault(question.vpcCidr, cidr) === undefined;
  const free = candidates.filter(isFree);
  if (free.length > 0) return free;
  throw badField(
    "podCidrs",
    "no /16 of 100.64.0.0/10 or 198.19.0.0/16 is clear of the other ranges",
    "a block of your own",
  );
}

function checkPodCidrs(question: VpcQuestion, podCidrs: readonly Cidr4[]): void {
  if (podCidrs.length > mostPodCidrs)
    throw badField("podCidrs", String(podCidrs.length), `at most ${mostPodCidrs}: a VPC has five blocks`);
  for (const [index, cidr] of podCidrs.entries()) {
    const fault = secondaryFault(question.vpcCidr, cidr);
    if (fault !== undefined)
      throw badField(
        `podCidrs[${index}]`,
        `${formatCidr(cidr)}: ${fault}`,
        "a block that EC2 lets join the VPC, as 100.64.0.0/16",
      );
  }
}

/** What EC2 answers to such a secondary block; undefined when it takes it. */
export function secondaryFault(primary: Cidr4, added: Cidr4): string | undefined {
  try {
    checkSecondaryBlock(added, [primary], []);
    return undefined;
  } catch (fault) {
    if (fault instanceof Ec2Fault) return fault.message;
    throw fault;
  }
}

function doesNotFit(question: VpcQuestion, places: readonly Place[], sizes: ReadonlyMap<SubnetKind, number>) {
  const mainKinds = places.filter(({ kind }) => kind !== "pods");
  const mainFits = allocateIn([question.vpcCidr], question, mainKinds, sizes) !== undefined;
  const field = mainFits ? "podCidrs" : "vpcCidr";
  const kinds = [...sizes].filter(([kind]) => (kind === "pods") === mainFits);
  const wanted = kinds.map(([kind, bits]) => `${question.zones.length} × /${bits} ${kind}`).join(", ");
  const total = kinds.reduce((sum, [, bits]) => sum + question.zones.length * 2 ** (32 - bits), 0);
  const blocks = mainFits ? (question.podCidrs ?? []) : [question.vpcCidr];
  const size = blocks.reduce((sum, cidr) => sum + cidr4Size(cidr), 0);
  const bits = 32 - Math.ceil(Math.log2(total));
  const existing = question.others.some(({ kind }) => kind === "existing")
    ? ", and subnets are there already"
    : "";
  return badField(
    field,
    `${blocks.map(formatCidr).join(", ")} with ${thousands(size)} addresses${existing}; the subnets need ${wanted} = ${thousands(total)}`,
    bits >= 16 ? `a /${bits} or larger` : "less than a /16, which is the largest block of a VPC",
    bits >= 16 ? undefined : "Take custom networking (pods in 100.64.0.0/10), fewer warm addresses, or IPv6",
  );
}

function givenLayout(question: VpcQuestion): Layout {
  const given = question.subnets ?? [];
  const subnets = given.map((subnet): LaidSubnet => {
    const like = given.filter((other) => other.kind === subnet.kind && other.zone === subnet.zone);
    return {
      name: subnet.name,
      place: { kind: subnet.kind, zone: subnet.zone, index: like.indexOf(subnet), of: like.length },
      cidr: parseCidr4(subnet.cidr),
      reservations: readReservations(subnet.name, subnet.cidr, subnet.reservations ?? []),
      usedByOthers: subnet.usedByOthers ?? 0,
    };
  });
  const outside = subnets.filter(({ cidr }) => !cidrContains(question.vpcCidr, cidr));
  const podCidrs = question.podCidrs ?? outside.map(({ cidr }) => cidr4(cidr.base, 16));
  const lost = outside.find(({ cidr }) => !podCidrs.some((block) => cidrContains(block, cidr)));
  if (lost !== undefined)
    throw badField(
      `subnet ${lost.name}`,
      formatCidr(lost.cidr),
      `a block of the VPC's ${[question.vpcCidr, ...podCidrs].map(formatCidr).join(", ")}`,
    );
  const unique = podCidrs.filter(
    (cidr, index) => podCidrs.findIndex((other) => other.base === cidr.base) === index,
  );
  const space = new FreeSpace([question.vpcCidr, ...unique]);
  for (const { cidr } of subnets) space.occupy(cidr);
  for (const { cidr, kind } of question.others) if (kind === "existing") space.occupy(cidr);
  return { podCidrs: unique, subnets, unallocated: space.blocks };
}

function readReservations(name: string, subnet: string, texts: readonly string[]): Cidr4[] {
  return texts.map((text) => {
    const cidr = parseCidr4(text);
    if (cidrContains(parseCidr4(subnet), cidr)) return cidr;
    throw badField(`reservations of ${name}`, text, `a block inside ${subnet}`);
  });
}
