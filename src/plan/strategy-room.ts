import { type Cidr4, cidrsOverlap, formatCidr, parseCidr4 } from "../addr/cidr.ts";
import { usableAddresses } from "./free-blocks.ts";
import { FreeSpace } from "./free-space.ts";
import { type Holding, nodesIn } from "./strategy-groups.ts";
import type { Situation } from "./strategy-input.ts";
import { secondaryFault } from "./vpc-layout.ts";

/** Up to so many /16s that the VPC may take and no peer uses; a VPC has five blocks at most. */
export function secondaryBlocks({ vpcCidrs, others, taken }: Situation, count: number): Cidr4[] {
  const [primary] = vpcCidrs;
  if (primary === undefined) return [];
  const candidates = [
    ...Array.from({ length: 64 }, (_, index) => `100.${64 + index}.0.0/16`),
    "198.19.0.0/16",
  ];
  return candidates
    .map(parseCidr4)
    .filter(
      (cidr) =>
        secondaryFault(primary, cidr) === undefined &&
        ![...others.map((other) => other.cidr), ...vpcCidrs, ...taken].some((other) =>
          cidrsOverlap(other, cidr),
        ),
    )
    .slice(0, Math.max(Math.min(count, 5 - vpcCidrs.length), 0));
}

/** The first block of the VPC that a peer has too, with the peer's, as text; undefined: there is none. */
export function overlapWithPeers({ vpcCidrs, others }: Situation): string | undefined {
  for (const cidr of vpcCidrs) {
    const other = others.find((each) => cidrsOverlap(each.cidr, cidr));
    if (other !== undefined) return `${formatCidr(cidr)} and ${formatCidr(other.cidr)} of ${other.name}`;
  }
  return undefined;
}

/** For each zone blocks of one size, as large as the free space allows, and again of what is left, three times. */
export function evenBlocks(blocks: readonly Cidr4[], taken: readonly Cidr4[], zones: number): Cidr4[] {
  const found: Cidr4[] = [];
  for (let bits = 16; bits <= 28 && found.length < 3 * zones; bits++) {
    const space = new FreeSpace(blocks);
    for (const range of [...taken, ...found]) space.occupy(range);
    const round = Array.from({ length: zones }, () => space.take(bits)).filter(
      (block) => block !== undefined,
    );
    if (round.length === zones) found.push(...round);
  }
  return found;
}

/** Nodes, in the mix of now, that fit into some subnets. */
export function roomIn(blocks: readonly Cidr4[], now: Holding): number {
  return blocks.reduce((sum, { bits }) => sum + nodesIn(usableAddresses(bits), now.whereThePodsAre, now), 0);
}
