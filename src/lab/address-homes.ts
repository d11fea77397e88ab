import type { NetworkInterface } from "@aws-sdk/client-ec2";
import { cidr4Has, cidr6Has, tryParseCidr } from "../addr/cidr.ts";
import { tryParseIpv4 } from "../addr/ipv4.ts";
import { tryParseIpv6 } from "../addr/ipv6.ts";

/** Which ENI and subnet an address belongs to. */
export interface AddressHome {
  readonly eniId: string;
  readonly subnetId: string;
}

/** Finds the ENI that has an address, as one of its own or in one of its prefixes. */
export function addressHomes(
  enis: readonly NetworkInterface[],
): (address: string) => AddressHome | undefined {
  const singles = new Map<string, AddressHome>();
  const blocks: { readonly block: string; readonly home: AddressHome }[] = [];
  for (const eni of enis) {
    const home = { eniId: eni.NetworkInterfaceId ?? "-", subnetId: eni.SubnetId ?? "-" };
    for (const { PrivateIpAddress: address } of eni.PrivateIpAddresses ?? [])
      if (address !== undefined) singles.set(address, home);
    for (const { Ipv6Address: address } of eni.Ipv6Addresses ?? [])
      if (address !== undefined) singles.set(address, home);
    for (const block of prefixesOf(eni)) blocks.push({ block, home });
  }
  return (address) => singles.get(address) ?? blocks.find(({ block }) => isInside(block, address))?.home;
}

/** The prefixes of an ENI in both families: "10.0.32.16/28", "2600:1f14:829:ea01:4066::/80". */
export function prefixesOf(eni: NetworkInterface): string[] {
  return [
    ...(eni.Ipv4Prefixes ?? []).map(({ Ipv4Prefix }) => Ipv4Prefix),
    ...(eni.Ipv6Prefixes ?? []).map(({ Ipv6Prefix }) => Ipv6Prefix),
  ].filter((prefix) => prefix !== undefined);
}

/** True when the block has the address; false for text that is no block or no address. */
export function isInside(block: string, address: string): boolean {
  const cidr = tryParseCidr(block);
  if (cidr?.family === 4) {
    const value = tryParseIpv4(address);
    return value !== undefined && cidr4Has(cidr, value);
  }
  const value = tryParseIpv6(address);
  return cidr?.family === 6 && value !== undefined && cidr6Has(cidr, value);
}
