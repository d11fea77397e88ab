import type { Cidr6 } from "../../addr/cidr.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import { forgetOwner, giveBack, noteOwner, type Taken, takeAddresses } from "./address-taking.ts";
import { faults } from "./fault.ts";
import { findEni, findSubnet } from "./lookup.ts";
import { refuseManaged } from "./network-interface.ts";
import { checkCount, removeFrom } from "./private-addresses.ts";
import type { Context } from "./state.ts";
import { checkIpv6Slots, checkPrefixes, limitsOfHolder } from "./type-limits.ts";

/** Exactly one of the four selectors. */
export interface AssignIpv6Request {
  readonly eniId: string;
  readonly addresses?: readonly Ipv6[];
  readonly addressCount?: number;
  readonly prefixes?: readonly Cidr6[];
  readonly prefixCount?: number;
}

export interface AssignedIpv6 {
  readonly addresses: readonly Ipv6[];
  readonly prefixes: readonly Ipv6[];
}

/** Gives an interface IPv6 addresses or /80 prefixes: all that was asked for, or none. */
export function assignIpv6Addresses(ctx: Context, request: AssignIpv6Request): AssignedIpv6 {
  const { state } = ctx;
  const eni = findEni(state, request.eniId);
  refuseManaged(eni);
  const { addresses, addressCount, prefixes, prefixCount } = request;
  const selectors = [addresses, addressCount, prefixes, prefixCount].filter((one) => one !== undefined);
  if (selectors.length === 0) throw faults.missing("ipv6AddressCount");
  if (selectors.length > 1) {
    throw faults.combination(
      "Only one of ipv6Addresses, ipv6AddressCount, ipv6Prefix and ipv6PrefixCount may be specified.",
    );
  }
  checkCount(addressCount, "ipv6AddressCount");
  checkCount(prefixCount, "ipv6PrefixCount");
  const limits = limitsOfHolder(state, eni);
  const wantedPrefixes = prefixes?.length ?? prefixCount ?? 0;
  checkPrefixes(limits, wantedPrefixes);
  const held = eni.ipv6Addresses.length + eni.ipv6Prefixes.length;
  checkIpv6Slots(limits, held + (addresses?.length ?? addressCount ?? 0) + wantedPrefixes);
  const taken = takeAddresses(ctx, findSubnet(state, eni.subnetId), {
    ...(addresses === undefined ? {} : { ipv6Addresses: addresses }),
    ...(addressCount === undefined ? {} : { ipv6AddressCount: addressCount }),
    ...(prefixes === undefined ? {} : { ipv6Prefixes: prefixes }),
    ...(prefixCount === undefined ? {} : { ipv6PrefixCount: prefixCount }),
  });
  noteOwner(state, eni.vpcId, eni.eniId, taken);
  eni.ipv6Addresses.push(...taken.ipv6Addresses);
  eni.ipv6Prefixes.push(...taken.ipv6Prefixes);
  state.touch("network-interface", eni.eniId);
  return { addresses: taken.ipv6Addresses, prefixes: taken.ipv6Prefixes };
}

export interface UnassignIpv6Request {
  readonly eniId: string;
  readonly addresses?: readonly Ipv6[];
  readonly prefixes?: readonly Cidr6[];
}

/** Takes IPv6 addresses or prefixes away: all that were named, or none. */
export function unassignIpv6Addresses(ctx: Context, request: UnassignIpv6Request): void {
  const { state } = ctx;
  const eni = findEni(state, request.eniId);
  refuseManaged(eni);
  const gone: Taken = {
    addresses: [],
    prefixes: [],
    ipv6Addresses: [...new Set(request.addresses ?? [])],
    ipv6Prefixes: [...new Set((request.prefixes ?? []).map((prefix) => prefix.base))],
  };
  if (gone.ipv6Addresses.length + gone.ipv6Prefixes.length === 0) throw faults.missing("ipv6Addresses");
  const foreign =
    gone.ipv6Addresses.some((address) => !eni.ipv6Addresses.includes(address)) ||
    gone.ipv6Prefixes.some((base) => !eni.ipv6Prefixes.includes(base));
  if (foreign) {
    throw faults.invalid(`Some of the specified addresses are not assigned to interface ${eni.eniId}`);
  }
  removeFrom(eni.ipv6Addresses, gone.ipv6Addresses);
  removeFrom(eni.ipv6Prefixes, gone.ipv6Prefixes);
  giveBack(state, eni.subnetId, gone);
  forgetOwner(state, eni.vpcId, gone);
  state.touch("network-interface", eni.eniId);
}
