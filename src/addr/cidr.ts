import { EniverseError } from "../base/error.ts";
import { formatIpv4, type Ipv4, ipv4, tryParseIpv4 } from "./ipv4.ts";
import { formatIpv6, type Ipv6, ipv6, tryParseIpv6 } from "./ipv6.ts";

/** An IPv4 block: `base` has no bits set below `bits`. */
export interface Cidr4 {
  readonly family: 4;
  readonly base: Ipv4;
  /** Prefix length, 0…32. */
  readonly bits: number;
}

/** An IPv6 block: `base` has no bits set below `bits`. */
export interface Cidr6 {
  readonly family: 6;
  readonly base: Ipv6;
  /** Prefix length, 0…128. */
  readonly bits: number;
}

export type Cidr = Cidr4 | Cidr6;

/** The block of `bits` that holds `address`; host bits are cleared, as EC2 does with its input. */
export function cidr4(address: Ipv4, bits: number): Cidr4 {
  return { family: 4, base: ipv4(bits === 0 ? 0 : address & (-1 << (32 - bits))), bits };
}

export function cidr6(address: Ipv6, bits: number): Cidr6 {
  const hostBits = BigInt(128 - bits);
  return { family: 6, base: ipv6((address >> hostBits) << hostBits), bits };
}

/** Reads "10.0.0.0/16" or "2001:db8::/56", host bits cleared; undefined for anything else. */
export function tryParseCidr(text: string): Cidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  if (match?.[1] === undefined) return undefined;
  const bits = Number(match[2]);
  const v4 = tryParseIpv4(match[1]);
  if (v4 !== undefined) return bits <= 32 ? cidr4(v4, bits) : undefined;
  const v6 = tryParseIpv6(match[1]);
  return v6 !== undefined && bits <= 128 ? cidr6(v6, bits) : undefined;
}

/** As {@link tryParseCidr}; throws `invalid_argument`. */
export function parseCidr(text: string): Cidr {
  const cidr = tryParseCidr(text);
  if (cidr === undefined) throw notACidr(text, "an address and a prefix length, as 10.0.0.0/16");
  return cidr;
}

export function parseCidr4(text: string): Cidr4 {
  const cidr = tryParseCidr(text);
  if (cidr?.family !== 4) throw notACidr(text, "an IPv4 block, as 10.0.0.0/16");
  return cidr;
}

export function parseCidr6(text: string): Cidr6 {
  const cidr = tryParseCidr(text);
  if (cidr?.family !== 6) throw notACidr(text, "an IPv6 block, as 2001:db8::/56");
  return cidr;
}

function notACidr(text: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: "read a CIDR block",
    found: JSON.stringify(text),
    wanted,
  });
}

export function formatCidr(cidr: Cidr): string {
  return cidr.family === 4
    ? `${formatIpv4(cidr.base)}/${cidr.bits}`
    : `${formatIpv6(cidr.base)}/${cidr.bits}`;
}

/** Number of addresses in an IPv4 block. */
export function cidr4Size(cidr: Cidr4): number {
  return 2 ** (32 - cidr.bits);
}

/** The last address of the block. */
export function lastIpv4(cidr: Cidr4): Ipv4 {
  return ipv4(cidr.base + cidr4Size(cidr) - 1);
}

/** True when `inner` lies wholly in `outer`; blocks of different families never do. */
export function cidrContains(outer: Cidr, inner: Cidr): boolean {
  if (outer.family !== inner.family || inner.bits < outer.bits) return false;
  return outer.family === 4
    ? cidr4(inner.base as Ipv4, outer.bits).base === outer.base
    : cidr6(inner.base as Ipv6, outer.bits).base === outer.base;
}

export function cidrsOverlap(a: Cidr, b: Cidr): boolean {
  return cidrContains(a, b) || cidrContains(b, a);
}

export function cidr4Has(cidr: Cidr4, address: Ipv4): boolean {
  return cidr4(address, cidr.bits).base === cidr.base;
}

export function cidr6Has(cidr: Cidr6, address: Ipv6): boolean {
  return cidr6(address, cidr.bits).base === cidr.base;
}

/** The `index`-th block of `bits` inside `outer`, counted from 0; throws `invalid_argument` outside it. */
export function subnetOf(outer: Cidr4, bits: number, index: number): Cidr4 {
  const count = 2 ** (bits - outer.bits);
  if (bits < outer.bits || index < 0 || index >= count) {
    throw new EniverseError("invalid_argument", {
      attempted: `take the /${bits} number ${index} of ${formatCidr(outer)}`,
      wanted: `a length of ${outer.bits} to 32 and a number of 0 to ${count - 1}`,
    });
  }
  return { family: 4, base: ipv4(outer.base + index * 2 ** (32 - bits)), bits };
}
