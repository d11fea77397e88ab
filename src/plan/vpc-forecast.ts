import { type SubnetShare, singlesOf } from "./footprint.ts";
import { type Capacity, holds } from "./vpc-capacity.ts";
import { demandOf, type Moment, type Need, type Place, sumOf } from "./vpc-demand.ts";
import type { Growth, VpcQuestion } from "./vpc-input.ts";

/** The first day on which a subnet cannot give what is needed. */
export interface Exhaustion {
  /** Days from the start; 0: it is so already. */
  readonly day: number;
  /** The date, when the plan was told the first one. */
  readonly date?: string;
  /** The subnets that run out on that day. */
  readonly subnets: readonly string[];
  /** Nodes of the cluster on that day, an upgrade's not counted. */
  readonly nodes: number;
}

/** A subnet as the forecast needs it. */
export interface ForecastSubnet {
  readonly name: string;
  readonly place: Place;
  readonly capacity: Capacity;
}

/** Growth is not foreseen further than this, in days. */
export const longestForecastDays = 3650;

const daysPerMonth = 365.25 / 12;

/** Nodes of each group after so many days. */
export function nodesAfter(question: VpcQuestion, days: number): number[] {
  const { groups, growth } = question;
  if (growth === undefined) return groups.map(({ nodes }) => nodes);
  const months = days / daysPerMonth;
  const total = groups.reduce((sum, { nodes }) => sum + nodes, 0);
  return groups.map(({ nodes }, index) => {
    if (growth.percentPerMonth !== undefined)
      return Math.ceil(nodes * (1 + growth.percentPerMonth / 100) ** months);
    const share = total === 0 ? (index === 0 ? 1 : 0) : nodes / total;
    return Math.ceil(nodes + (growth.nodesPerMonth ?? 0) * share * months);
  });
}

export function momentAfter(question: VpcQuestion, days: number): Moment {
  return { nodes: nodesAfter(question, days), surge: true };
}

/** Subnets that cannot hold what a moment asks of them. */
export function overfull(
  question: VpcQuestion,
  subnets: readonly ForecastSubnet[],
  moment: Moment,
): string[] {
  const places = subnets.map(({ place }) => place);
  return subnets
    .filter(({ place, capacity }) => !holds(capacity, sumOf(demandOf(question, places, place, moment))))
    .map(({ name }) => name);
}

/** When the first subnet runs out, an upgrade at any time allowed for; undefined: not within ten years. */
export function forecast(question: VpcQuestion, subnets: readonly ForecastSubnet[]): Exhaustion | undefined {
  const fullAt = (day: number): string[] => overfull(question, subnets, momentAfter(question, day));
  if (fullAt(0).length === 0 && (!grows(question.growth) || fullAt(longestForecastDays).length === 0)) {
    return undefined;
  }
  let low = 0;
  let high = longestForecastDays;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (fullAt(middle).length > 0) high = middle;
    else low = middle + 1;
  }
  return {
    day: low,
    ...(question.startDate === undefined ? {} : { date: dateAfter(question.startDate, low) }),
    subnets: fullAt(low),
    nodes: nodesAfter(question, low).reduce((sum, nodes) => sum + nodes, 0),
  };
}

/**
 * How many more nodes a subnet takes, of the group that takes most, with an upgrade under way. Undefined for
 * subnets on which nodes have no bearing.
 */
export function roomForNodes(
  question: VpcQuestion,
  subnets: readonly ForecastSubnet[],
  subnet: ForecastSubnet,
): number | undefined {
  const perNode = needOfNode(question, subnets, subnet.place);
  if (perNode === undefined || perNode.singles + perNode.blocks === 0) return undefined;
  const places = subnets.map(({ place }) => place);
  const base = sumOf(demandOf(question, places, subnet.place, momentAfter(question, 0)));
  const fits = (more: number): boolean =>
    holds(subnet.capacity, {
      singles: base.singles + more * perNode.singles,
      blocks: base.blocks + more * perNode.blocks,
    });
  if (!fits(0)) return 0;
  let low = 0;
  let high = 65_536;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(middle)) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** What one more node of the largest kind takes at a place. */
function needOfNode(
  question: VpcQuestion,
  subnets: readonly ForecastSubnet[],
  place: Place,
): Need | undefined {
  const [footprint] = question.groups
    .map((group) => group.footprint)
    .toSorted((a, b) => b.addresses - a.addresses);
  if (footprint === undefined) return undefined;
  const { inNodeSubnet, inPodSubnet } = footprint;
  const needOf = (...shares: readonly SubnetShare[]): Need => ({
    singles: shares.reduce((sum, share) => sum + singlesOf(share), 0),
    blocks: shares.reduce((sum, { blocks }) => sum + blocks, 0),
  });
  if (place.kind === "pods") return needOf(inPodSubnet);
  if (place.kind !== "private") return undefined;
  const hasPodSubnets = subnets.some((each) => each.place.kind === "pods" && each.place.zone === place.zone);
  const need = hasPodSubnets ? needOf(inNodeSubnet) : needOf(inNodeSubnet, inPodSubnet);
  return { ...need, singles: 1 + need.singles };
}

function grows(growth: Growth | undefined): boolean {
  return (growth?.percentPerMonth ?? 0) > 0 || (growth?.nodesPerMonth ?? 0) > 0;
}

function dateAfter(start: string, days: number): string {
  return new Date(Date.parse(start) + days * 86_400_000).toISOString().slice(0, 10);
}
