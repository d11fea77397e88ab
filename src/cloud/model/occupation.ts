import { cidr4Size } from "../../addr/cidr.ts";
import { type Ipv4, ipv4 } from "../../addr/ipv4.ts";
import { EniverseError } from "../../base/error.ts";
import { spaceOf } from "./address-taking.ts";
import { enisIn, findSubnet } from "./lookup.ts";
import { createEni, type NetworkInterface, removeEni } from "./network-interface.ts";
import type { Context } from "./state.ts";

/** The tag of interfaces that are there only to hold addresses. */
export const occupationTag = "eniverse:occupation";

/** As many addresses as one occupying interface holds at the most. */
const addressesPerEni = 64;

export interface OccupyRequest {
  readonly subnetId: string;
  /** Share of the subnet's usable addresses that shall be in use, 0…1; what is more stays. */
  readonly filled?: number;
  /** True takes one address in every free /28, so that no prefix is left. */
  readonly fragmented?: boolean;
}

/**
 * Makes a subnet as full, or as fragmented, as other people's interfaces would: with interfaces that hold addresses and
 * do nothing. Returns how many addresses were taken.
 */
export function occupySubnet(ctx: Context, request: OccupyRequest, requesterId: string): number {
  const { subnetId } = findSubnet(ctx.state, request.subnetId);
  const { filled = 0 } = request;
  if (!(filled >= 0 && filled <= 1)) {
    throw new EniverseError("invalid_argument", {
      attempted: `fill ${subnetId}`,
      found: String(filled),
      wanted: "a share of 0 to 1",
    });
  }
  const space = spaceOf(ctx.state, subnetId);
  let taken = 0;
  if (request.fragmented === true) {
    const chosen = space.freeBlocks28().map((block) => ipv4(block.base + ctx.random.int(16)));
    for (let start = 0; start < chosen.length; start += addressesPerEni) {
      hold(ctx, subnetId, requesterId, { named: chosen.slice(start, start + addressesPerEni) });
    }
    taken += chosen.length;
  }
  const usable = cidr4Size(space.cidr) - 5;
  let missing = Math.min(Math.ceil(usable * filled) - space.usedCount, space.freeCount);
  while (missing > 0) {
    const count = Math.min(missing, addressesPerEni);
    hold(ctx, subnetId, requesterId, { count });
    missing -= count;
    taken += count;
  }
  return taken;
}

function hold(
  ctx: Context,
  subnetId: string,
  requesterId: string,
  what: { readonly named: readonly Ipv4[] } | { readonly count: number },
): void {
  const [primaryAddress, ...addresses] = "named" in what ? what.named : [];
  createEni(ctx, {
    subnetId,
    requesterId,
    description: "Holds addresses for a test of a crowded subnet",
    tags: [[occupationTag, "true"]],
    ...(primaryAddress === undefined ? {} : { primaryAddress, addresses }),
    ...("count" in what ? { addressCount: what.count - 1 } : {}),
  });
}

/** Frees what {@link occupySubnet} took, in one subnet or in all; returns how many addresses that were. */
export function clearOccupation(ctx: Context, subnetId?: string): number {
  const { state } = ctx;
  const subnetIds =
    subnetId === undefined ? [...state.subnets.keys()] : [findSubnet(state, subnetId).subnetId];
  let freed = 0;
  for (const id of subnetIds) {
    const holders = [...enisIn(state, id)].filter(isOccupation);
    for (const eni of holders) {
      freed += eni.addresses.length;
      removeEni(ctx, eni);
    }
  }
  return freed;
}

function isOccupation(eni: NetworkInterface): boolean {
  return eni.tags.has(occupationTag) && eni.attachment === undefined;
}
