import {
  type Cidr4,
  cidr4,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  parseCidr4,
  tryParseCidr,
} from "../addr/cidr.ts";
import { badField, wholeNumber } from "./field.ts";
import { spaceOf, subnetBlock } from "./fragmentation.ts";
import { expectedFreeBlocks, usableAddresses } from "./free-blocks.ts";
import {
  allTakePrefixes,
  type Holding,
  holdingOf,
  readGroups,
  type StrategyGroup,
  type StrategyGroupInput,
} from "./strategy-groups.ts";
import type { OtherRange } from "./vpc-input.ts";
import { checkModeAndWarm, type PlanMode, type WarmSettings } from "./warm-settings.ts";

/** A subnet that runs out. */
export interface FullSubnet {
  readonly name: string;
  readonly zone: string;
  readonly cidr: string;
  /** AvailableIpAddressCount; without it what `used` leaves, else what the nodes leave. */
  readonly free?: number;
  /** What is in use, addresses and /28 blocks: then whole blocks are counted instead of expected. */
  readonly used?: readonly string[];
  readonly reservations?: readonly { readonly cidr: string; readonly kind: "prefix" | "explicit" }[];
}

export interface PlanStrategyInput {
  /** The subnets in which pods live: the nodes', or in the custom and discovery modes the pods' own. */
  readonly subnets: readonly FullSubnet[];
  /** The VPC's blocks, the primary first. Without them nobody can tell what else the VPC has room for. */
  readonly vpcCidrs?: readonly string[];
  /** The VPC's other subnets. */
  readonly otherSubnets?: readonly { readonly name: string; readonly cidr: string }[];
  /** The groups of nodes, of several types when need be; they grow alike. */
  readonly nodeGroups?: readonly StrategyGroupInput[];
  /** With `nodes` and `podsPerNode`: a single group, instead of `nodeGroups`. */
  readonly instanceType?: string;
  readonly nodes?: number;
  readonly podsPerNode?: number;
  /** How the cluster runs now; default "secondary-ip". */
  readonly mode?: PlanMode;
  readonly warm?: WarmSettings;
  /** How many nodes there should be room for; default twice as many. */
  readonly nodesWanted?: number;
  /** Peers and on-premises ranges. */
  readonly others?: readonly OtherRange[];
  /** Pods must have their own range or security groups: firewalls tell them from nodes by it. */
  readonly podsNeedOwnRange?: boolean;
}

/** The input, checked, with what the cluster holds now. */
export interface Situation {
  readonly groups: readonly StrategyGroup[];
  readonly mode: PlanMode;
  readonly warm: WarmSettings;
  readonly nodes: number;
  readonly nodesWanted: number;
  /** What the nodes hold now. */
  readonly now: Holding;
  readonly subnets: readonly { readonly name: string; readonly zone: string; readonly cidr: Cidr4 }[];
  readonly zones: readonly string[];
  readonly vpcCidrs: readonly Cidr4[];
  /** False: the blocks were not told, and are taken to be the subnets' own /16. */
  readonly vpcKnown: boolean;
  readonly taken: readonly Cidr4[];
  readonly others: readonly { readonly name: string; readonly cidr: Cidr4 }[];
  readonly usable: number;
  readonly free: number;
  /** Whole /28 blocks that the subnets have left: counted, or expected by chance. */
  readonly blocksFree: number;
  readonly blocksCounted: boolean;
  readonly podsNeedOwnRange: boolean;
  /** Every type takes prefixes. */
  readonly nitro: boolean;
}

/** Throws `invalid_argument` naming the first field that is wrong. */
export function readSituation(input: PlanStrategyInput): Situation {
  const mode = input.mode ?? "secondary-ip";
  const warm = input.warm ?? {};
  if (mode === "ipv6") throw badField("mode", mode, "an IPv4 mode: pods of an IPv6 cluster do not run out");
  checkModeAndWarm(mode, warm);
  const groups = readGroups(input);
  const now = holdingOf(groups, mode, warm);
  const { nodes } = now;
  if (input.subnets.length === 0) throw badField("subnets", "none", "the subnets in which pods live");
  const subnets = input.subnets.map((subnet, index) => ({
    ...subnet,
    cidr: subnetBlock(`subnets[${index}].cidr`, subnet.cidr),
  }));
  for (const [index, { name, cidr }] of subnets.entries()) {
    const other = subnets.slice(index + 1).find((each) => cidrsOverlap(each.cidr, cidr));
    if (other === undefined) continue;
    throw badField(
      `subnets[${index}].cidr`,
      `${formatCidr(cidr)} of ${name}, which overlaps ${formatCidr(other.cidr)} of ${other.name}`,
      "subnets apart from each other",
    );
  }
  const usable = subnets.reduce((sum, { cidr }) => sum + usableAddresses(cidr.bits), 0);
  const told = subnets.map(({ free, used, cidr }, index) => {
    if (free !== undefined) return wholeNumber(`subnets[${index}].free`, free, 0, usableAddresses(cidr.bits));
    return used === undefined ? undefined : usableAddresses(cidr.bits) - spaceOf(cidr, { used }).usedCount;
  });
  const allTold = told.every((free) => free !== undefined);
  const free = allTold
    ? told.reduce((sum: number, each) => sum + (each ?? 0), 0)
    : Math.max(usable - now.whereThePodsAre, 0);
  const counted = subnets.every(({ used }) => used !== undefined);
  const others = (input.others ?? []).map(({ name, cidr }, index) => ({
    name,
    cidr: blockOf(`others[${index}].cidr`, cidr),
  }));
  return {
    groups,
    mode,
    warm,
    nodes,
    nodesWanted: wholeNumber("nodesWanted", input.nodesWanted ?? 2 * nodes, nodes, 1_000_000),
    now,
    subnets,
    zones: [...new Set(subnets.map(({ zone }) => zone))].sort(),
    vpcCidrs: vpcBlocks(
      input,
      subnets.map(({ cidr }) => cidr),
    ),
    vpcKnown: input.vpcCidrs !== undefined,
    taken: [
      ...subnets.map(({ cidr }) => cidr),
      ...(input.otherSubnets ?? []).map(({ cidr }, index) => blockOf(`otherSubnets[${index}].cidr`, cidr)),
    ],
    others,
    usable,
    free,
    blocksFree: subnets.reduce((sum, { cidr, used, reservations = [] }) => {
      if (counted && used !== undefined) return sum + spaceOf(cidr, { used, reservations }).freeBlocks28Count;
      const share = usableAddresses(cidr.bits) / usable;
      return sum + expectedFreeBlocks(cidr.bits, Math.round((usable - free) * share));
    }, 0),
    blocksCounted: counted,
    podsNeedOwnRange: input.podsNeedOwnRange ?? false,
    nitro: allTakePrefixes(groups),
  };
}

function vpcBlocks(input: PlanStrategyInput, subnets: readonly Cidr4[]): Cidr4[] {
  if (input.vpcCidrs !== undefined) {
    const blocks = input.vpcCidrs.map((text, index) => blockOf(`vpcCidrs[${index}]`, text));
    const lost = subnets.find((subnet) => !blocks.some((block) => cidrContains(block, subnet)));
    if (lost !== undefined)
      throw badField("vpcCidrs", input.vpcCidrs.join(", "), `blocks that hold ${formatCidr(lost)}`);
    return blocks;
  }
  const texts = [...new Set(subnets.map(({ base }) => formatCidr(cidr4(base, 16))))];
  return texts.map(parseCidr4);
}

function blockOf(field: string, text: string): Cidr4 {
  const cidr = tryParseCidr(text);
  if (cidr?.family === 4) return cidr;
  throw badField(field, JSON.stringify(text), "an IPv4 block, as 10.0.0.0/16");
}
