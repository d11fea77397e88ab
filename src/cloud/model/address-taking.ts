import { type Cidr4, type Cidr6, cidr4Has, cidr4Size, cidr6Has, formatCidr } from "../../addr/cidr.ts";
import { formatIpv4, type Ipv4, ipv4 } from "../../addr/ipv4.ts";
import { formatIpv6, type Ipv6, ipv6 } from "../../addr/ipv6.ts";
import type { Ipv6Space } from "../../addr/ipv6-space.ts";
import type { SubnetSpace } from "../../addr/subnet-space.ts";
import { EniverseError } from "../../base/error.ts";
import { Ec2Fault, faults } from "./fault.ts";
import type { CloudState, Context } from "./state.ts";
import type { Subnet } from "./subnet.ts";

/** What one request wants of a subnet: by name, by count, or both. */
export interface AddressWish {
  readonly addresses?: readonly Ipv4[];
  readonly addressCount?: number;
  readonly prefixes?: readonly Cidr4[];
  readonly prefixCount?: number;
  readonly ipv6Addresses?: readonly Ipv6[];
  readonly ipv6AddressCount?: number;
  readonly ipv6Prefixes?: readonly Cidr6[];
  readonly ipv6PrefixCount?: number;
}

/** Addresses and first addresses of prefixes, the named ones before the chosen ones. */
export interface Taken {
  readonly addresses: Ipv4[];
  readonly prefixes: Ipv4[];
  readonly ipv6Addresses: Ipv6[];
  readonly ipv6Prefixes: Ipv6[];
}

/** The five addresses that every subnet keeps for itself. */
const reservedAddresses = 5;

/** Takes everything of the wish or, throwing EC2's fault for what is missing, nothing. */
export function takeAddresses(ctx: Context, subnet: Subnet, wish: AddressWish): Taken {
  const taken: Taken = { addresses: [], prefixes: [], ipv6Addresses: [], ipv6Prefixes: [] };
  try {
    takeIpv4(ctx, subnet, wish, taken);
    takeIpv6(ctx, subnet, wish, taken);
  } catch (fault) {
    giveBack(ctx.state, subnet.subnetId, taken);
    throw fault;
  }
  return taken;
}

/** Returns addresses and prefixes to their subnet. */
export function giveBack(state: CloudState, subnetId: string, taken: Taken): void {
  const space = spaceOf(state, subnetId);
  for (const address of taken.addresses) space.release(address);
  for (const base of taken.prefixes) space.releaseBlock28({ family: 4, base, bits: 28 });
  const space6 = state.ipv6Spaces.get(subnetId);
  for (const address of taken.ipv6Addresses) space6?.release(address);
  for (const base of taken.ipv6Prefixes) space6?.releasePrefix({ family: 6, base, bits: 80 });
}

/** The addresses of a subnet; every subnet has them. */
export function spaceOf(state: CloudState, subnetId: string): SubnetSpace {
  const space = state.spaces.get(subnetId);
  if (space === undefined) {
    throw new EniverseError("internal", { attempted: `find the addresses of ${subnetId}` });
  }
  return space;
}

function takeIpv4(ctx: Context, subnet: Subnet, wish: AddressWish, taken: Taken): void {
  const space = spaceOf(ctx.state, subnet.subnetId);
  const choice = ctx.settings.addressChoice === "lowest" ? "lowest" : ctx.random;
  for (const address of wish.addresses ?? []) {
    checkFree(space, subnet, address);
    space.take(address);
    taken.addresses.push(address);
  }
  for (const block of wish.prefixes ?? []) {
    checkBlockFree(space, subnet, block);
    space.takeGivenBlock28(block);
    taken.prefixes.push(block.base);
  }
  const addressCount = wish.addressCount ?? 0;
  const prefixCount = wish.prefixCount ?? 0;
  const size = cidr4Size(subnet.cidr);
  // EC2 tells a count that no state of the subnet could serve from one that it cannot serve now.
  if (addressCount > size - reservedAddresses || prefixCount > size / 16) throw faults.countBeyondSubnet();
  if (addressCount > space.freeCount) throw faults.notEnoughAddresses();
  if (prefixCount > space.freeBlocks28Count) throw faults.notEnoughBlocks();
  for (let n = 0; n < addressCount; n++) {
    const address = space.takeAny(choice);
    if (address === undefined) throw faults.notEnoughAddresses();
    taken.addresses.push(address);
  }
  for (let n = 0; n < prefixCount; n++) {
    const block = space.takeBlock28(choice);
    if (block === undefined) throw faults.notEnoughBlocks();
    taken.prefixes.push(block.base);
  }
}

function checkFree(space: SubnetSpace, subnet: Subnet, address: Ipv4): void {
  if (!cidr4Has(subnet.cidr, address)) {
    throw faults.invalid("Address does not fall within the subnet's address range");
  }
  if (space.isReservedByVpc(address)) throw faults.invalid("Address is in subnet's reserved address range");
  if (!space.isFree(address)) {
    throw new Ec2Fault("InvalidIPAddress.InUse", `Address ${formatIpv4(address)} is in use.`);
  }
}

function checkBlockFree(space: SubnetSpace, subnet: Subnet, block: Cidr4): void {
  if (block.bits !== 28) {
    throw faults.badValue(formatCidr(block), "ipv4Prefix", "An IPv4 prefix is a /28 block.");
  }
  if (!cidr4Has(subnet.cidr, block.base)) {
    throw faults.invalid(`Prefix ${formatCidr(block)} does not fall within the subnet's address range`);
  }
  if (!space.isBlock28Free(block)) {
    throw new Ec2Fault(
      "InvalidIPAddress.InUse",
      `Prefix ${formatCidr(block)} is in use or holds reserved addresses.`,
    );
  }
}

function takeIpv6(ctx: Context, subnet: Subnet, wish: AddressWish, taken: Taken): void {
  const { ipv6Addresses = [], ipv6AddressCount = 0, ipv6Prefixes = [], ipv6PrefixCount = 0 } = wish;
  if (ipv6Addresses.length + ipv6AddressCount + ipv6Prefixes.length + ipv6PrefixCount === 0) return;
  const space = ctx.state.ipv6Spaces.get(subnet.subnetId);
  if (space === undefined) {
    throw faults.invalid(`Subnet '${subnet.subnetId}' does not have an IPv6 CIDR block associated with it.`);
  }
  const lowest = ctx.settings.addressChoice === "lowest";
  for (const address of ipv6Addresses) {
    if (!cidr6Has(space.cidr, address)) {
      throw faults.invalid("Address does not fall within the subnet's address range");
    }
    if (!space.isFree(address)) {
      throw new Ec2Fault("InvalidIPAddress.InUse", `Address ${formatIpv6(address)} is in use.`);
    }
    space.take(address);
    taken.ipv6Addresses.push(address);
  }
  for (const prefix of ipv6Prefixes) {
    if (prefix.bits !== 80) {
      throw faults.badValue(formatCidr(prefix), "ipv6Prefix", "An IPv6 prefix is a /80 block.");
    }
    if (!cidr6Has(space.cidr, prefix.base)) {
      throw faults.invalid(`Prefix ${formatCidr(prefix)} does not fall within the subnet's address range`);
    }
    if (!space.isPrefixFree(prefix)) {
      throw new Ec2Fault("InvalidIPAddress.InUse", `Prefix ${formatCidr(prefix)} is in use.`);
    }
    space.takeGivenPrefix(prefix);
    taken.ipv6Prefixes.push(prefix.base);
  }
  for (let n = 0; n < ipv6AddressCount; n++) {
    const address = lowest ? takeLowestIpv6(space) : space.takeRandom(ctx.random);
    if (address === undefined) throw faults.notEnoughAddresses();
    taken.ipv6Addresses.push(address);
  }
  for (let n = 0; n < ipv6PrefixCount; n++) {
    const prefix = space.takePrefix(lowest ? "lowest" : ctx.random);
    if (prefix === undefined) throw faults.notEnoughBlocks();
    taken.ipv6Prefixes.push(prefix.base);
  }
}

function takeLowestIpv6(space: Ipv6Space): Ipv6 {
  for (let address = space.cidr.base + 4n; ; address++) {
    if (!space.isFree(ipv6(address))) continue;
    space.take(ipv6(address));
    return ipv6(address);
  }
}

/** Notes the owner of everything that was taken. */
export function noteOwner(state: CloudState, vpcId: string, eniId: string, taken: Taken): void {
  const owners = state.owners.of(vpcId);
  for (const address of taken.addresses) owners.addresses.set(address, eniId);
  for (const base of taken.prefixes) owners.prefixes.set(base, eniId);
  for (const address of taken.ipv6Addresses) owners.ipv6Addresses.set(address, eniId);
  for (const base of taken.ipv6Prefixes) owners.ipv6Prefixes.set(base, eniId);
}

export function forgetOwner(state: CloudState, vpcId: string, taken: Taken): void {
  const owners = state.owners.of(vpcId);
  for (const address of taken.addresses) owners.addresses.delete(address);
  for (const base of taken.prefixes) owners.prefixes.delete(base);
  for (const address of taken.ipv6Addresses) owners.ipv6Addresses.delete(address);
  for (const base of taken.ipv6Prefixes) owners.ipv6Prefixes.delete(base);
}

/** The /28 that begins at `base`. */
export function block28(base: Ipv4): Cidr4 {
  return { family: 4, base: ipv4(base), bits: 28 };
}

/** The /80 that begins at `base`. */
export function block80(base: Ipv6): Cidr6 {
  return { family: 6, base, bits: 80 };
}
