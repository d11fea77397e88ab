import { type Cidr, cidr4, cidr6, formatCidr } from "../../addr/cidr.ts";
import { formatIpv4, ipv4, ipv4Bytes, ipv4FromBytes } from "../../addr/ipv4.ts";
import { formatIpv6, ipv6, ipv6Bytes, ipv6FromBytes } from "../../addr/ipv6.ts";
import { EniverseError } from "../../base/error.ts";
import { AF_INET, AF_INET6 } from "../libc.ts";
import type { AttributeDecoder } from "../netlink/attribute.ts";
import type { Family, IpAddress } from "./values.ts";

export function familyOf(address: IpAddress): Family {
  return typeof address === "number" ? 4 : 6;
}

/** AF_INET or AF_INET6; AF_UNSPEC (both) when absent. */
export function afOf(family: Family | undefined): number {
  if (family === undefined) return 0;
  return family === 4 ? AF_INET : AF_INET6;
}

/** Undefined for families that are not IP (bridge entries, multicast tables). */
export function familyOfAf(af: number): Family | undefined {
  if (af === AF_INET) return 4;
  return af === AF_INET6 ? 6 : undefined;
}

/** Network order. */
export function addressBytes(address: IpAddress): Uint8Array {
  return typeof address === "number" ? ipv4Bytes(address) : ipv6Bytes(address);
}

/** Throws `invalid_argument` for other lengths than 4 and 16. */
export function addressFromBytes(bytes: Uint8Array): IpAddress {
  return bytes.length === 4 ? ipv4FromBytes(bytes) : ipv6FromBytes(bytes);
}

/**
 * The address of the attribute at hand, from its byte `skip` on; of any family where none is said. Rejects the
 * message when there is none; what it returns then is never seen.
 */
export function readAddress(attributes: AttributeDecoder, family?: Family, skip = 0): IpAddress {
  const bytes = attributes.bytes().subarray(skip);
  const found = bytes.length === 4 ? 4 : bytes.length === 16 ? 6 : undefined;
  if (found !== undefined && found === (family ?? found)) return addressFromBytes(bytes);
  attributes.reject(`an address of ${bytes.length} bytes in attribute ${attributes.type}`);
  return ipv4(0);
}

export function formatAddress(address: IpAddress): string {
  return typeof address === "number" ? formatIpv4(address) : formatIpv6(address);
}

/** The block of one family; no address given means everything (length 0). */
export function cidrOf(family: Family, address: IpAddress | undefined, bits: number): Cidr {
  if (family === 4) return cidr4(typeof address === "number" ? address : ipv4(0), bits);
  return cidr6(typeof address === "bigint" ? address : ipv6(0n), bits);
}

/** The block of just this address: /32 or /128. */
export function hostCidr(address: IpAddress): Cidr {
  return typeof address === "number" ? cidr4(address, 32) : cidr6(address, 128);
}

export function describeCidr(cidr: Cidr): string {
  return cidr.bits === 0 ? `default (IPv${cidr.family})` : formatCidr(cidr);
}

/** Throws `invalid_argument` unless `name` can be a device's: 1 to 15 bytes without "/", ":", space or NUL. */
export function checkDeviceName(name: string): string {
  if (/^[^\s/:\0]{1,15}$/.test(name) && name !== "." && name !== ".." && Buffer.byteLength(name) <= 15)
    return name;
  throw new EniverseError("invalid_argument", {
    attempted: "name a network device",
    found: JSON.stringify(name),
    wanted: 'up to 15 bytes without "/", ":" and white space',
  });
}
