import { type Cidr4, formatCidr } from "../../addr/cidr.ts";
import { formatIpv4, type Ipv4 } from "../../addr/ipv4.ts";
import { giveBack, noteOwner, spaceOf, type Taken, takeAddresses } from "./address-taking.ts";
import { moveAssociation, releaseAssociationsOf } from "./elastic-ip.ts";
import { faults } from "./fault.ts";
import { findEni, findSubnet } from "./lookup.ts";
import { type NetworkInterface, refuseManaged } from "./network-interface.ts";
import type { CloudState, Context } from "./state.ts";
import { checkIpv4Slots, checkPrefixes, limitsOfHolder } from "./type-limits.ts";

/** Exactly one of the four selectors. */
export interface AssignRequest {
  readonly eniId: string;
  readonly addresses?: readonly Ipv4[];
  readonly addressCount?: number;
  readonly prefixes?: readonly Cidr4[];
  readonly prefixCount?: number;
  /** Moves named addresses that another interface of the VPC has as secondary ones. */
  readonly allowReassignment?: boolean;
}

/** What is new, and only that. */
export interface Assigned {
  readonly addresses: readonly Ipv4[];
  readonly prefixes: readonly Ipv4[];
}

/** Gives an interface secondary addresses or /28 prefixes: all that was asked for, or none. */
export function assignPrivateAddresses(ctx: Context, request: AssignRequest): Assigned {
  const { state } = ctx;
  const eni = findEni(state, request.eniId);
  refuseManaged(eni);
  const { addresses, addressCount, prefixes, prefixCount } = request;
  const selectors = [addresses, addressCount, prefixes, prefixCount].filter((one) => one !== undefined);
  if (selectors.length === 0) throw faults.missing("secondaryPrivateIpAddressCount");
  if (selectors.length > 1) {
    throw faults.combination(
      "Only one of privateIpAddress, secondaryPrivateIpAddressCount, ipv4Prefix and ipv4PrefixCount may be specified.",
    );
  }
  checkCount(addressCount, "secondaryPrivateIpAddressCount");
  checkCount(prefixCount, "ipv4PrefixCount");
  const newAddresses = addresses?.filter((address) => !eni.addresses.includes(address));
  const limits = limitsOfHolder(state, eni);
  const wantedPrefixes = prefixes?.length ?? prefixCount ?? 0;
  const wanted = (newAddresses?.length ?? addressCount ?? 0) + wantedPrefixes;
  checkPrefixes(limits, wantedPrefixes);
  checkIpv4Slots(limits, eni.addresses.length + eni.prefixes.length + wanted);
  const subnet = findSubnet(state, eni.subnetId);
  const moved =
    newAddresses === undefined ? [] : movable(state, eni, newAddresses, request.allowReassignment === true);
  const taken = takeAddresses(ctx, subnet, {
    ...request,
    ...(newAddresses === undefined
      ? {}
      : { addresses: newAddresses.filter((address) => !moved.some((move) => move.address === address)) }),
  });
  for (const { from, address } of moved) {
    from.addresses.splice(from.addresses.indexOf(address), 1);
    taken.addresses.push(address);
    moveAssociation(ctx, from.eniId, address, eni.eniId);
    state.touch("network-interface", from.eniId);
  }
  noteOwner(state, eni.vpcId, eni.eniId, taken);
  eni.addresses.push(...taken.addresses);
  eni.prefixes.push(...taken.prefixes);
  state.touch("network-interface", eni.eniId);
  return { addresses: taken.addresses, prefixes: taken.prefixes };
}

export function checkCount(count: number | undefined, parameter: string): void {
  if (count !== undefined && !(Number.isInteger(count) && count > 0)) throw faults.badValue(count, parameter);
}

/** Which of the named addresses another interface has; throws when they may not be moved. */
function movable(
  state: CloudState,
  eni: NetworkInterface,
  addresses: readonly Ipv4[],
  allowed: boolean,
): { readonly from: NetworkInterface; readonly address: Ipv4 }[] {
  const owners = state.owners.of(eni.vpcId);
  const space = spaceOf(state, eni.subnetId);
  const held = addresses.flatMap((address) => {
    const from = state.enis.get(owners.addresses.get(address) ?? "");
    return from === undefined || space.isReservedByVpc(address) ? [] : [{ from, address }];
  });
  const stuck = held.filter(
    ({ from, address }) => !allowed || from.addresses[0] === address || from.subnetId !== eni.subnetId,
  );
  if (stuck.length > 0) {
    const list = stuck.map(({ address }) => formatIpv4(address)).join(", ");
    throw faults.invalid(`[${list}] assigned, but move is not allowed.`);
  }
  return held;
}

/** Addresses, prefixes, or both. */
export interface UnassignRequest {
  readonly eniId: string;
  readonly addresses?: readonly Ipv4[];
  readonly prefixes?: readonly Cidr4[];
}

/** Takes secondary addresses or prefixes away: all that were named, or none. */
export function unassignPrivateAddresses(ctx: Context, request: UnassignRequest): void {
  const { state } = ctx;
  const eni = findEni(state, request.eniId);
  refuseManaged(eni);
  const addresses = [...new Set(request.addresses ?? [])];
  const prefixes = request.prefixes ?? [];
  if (addresses.length + prefixes.length === 0) throw faults.missing("privateIpAddress");
  const primary = addresses.find((address) => address === eni.addresses[0]);
  if (primary !== undefined) {
    throw faults.invalid(
      `The primary IP address ${formatIpv4(primary)} of interface ${eni.eniId} cannot be unassigned`,
    );
  }
  if (addresses.some((address) => !eni.addresses.includes(address))) {
    throw faults.invalid(`Some of the specified addresses are not assigned to interface ${eni.eniId}`);
  }
  const bases = prefixes.map((prefix) => {
    if (prefix.bits === 28 && eni.prefixes.includes(prefix.base)) return prefix.base;
    throw faults.invalid(
      `Some of the specified prefixes are not assigned to interface ${eni.eniId}: ${formatCidr(prefix)}`,
    );
  });
  const gone: Taken = { addresses, prefixes: [...new Set(bases)], ipv6Addresses: [], ipv6Prefixes: [] };
  removeFrom(eni.addresses, gone.addresses);
  removeFrom(eni.prefixes, gone.prefixes);
  giveBack(state, eni.subnetId, gone);
  const owners = state.owners.of(eni.vpcId);
  for (const address of gone.addresses) owners.addresses.delete(address);
  for (const base of gone.prefixes) owners.prefixes.delete(base);
  releaseAssociationsOf(ctx, eni.eniId, gone.addresses);
  state.touch("network-interface", eni.eniId);
}

/** Removes values from a list in place, keeping the order of the rest. */
export function removeFrom<T>(list: T[], gone: readonly T[]): void {
  const set = new Set(gone);
  const kept = list.filter((value) => !set.has(value));
  list.length = 0;
  list.push(...kept);
}
