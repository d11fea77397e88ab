import { EniverseError } from "../base/error.ts";
import { tryParseIpv4 } from "./ipv4.ts";

/** An IPv6 address as a bigint in [0, 2^128). */
export type Ipv6 = bigint & { readonly __ipv6: true };

/** Takes a bigint for an address; the caller knows that it is in range. */
export function ipv6(value: bigint): Ipv6 {
  return BigInt.asUintN(128, value) as Ipv6;
}

/** Reads the forms of RFC 4291 §2.2: full, with "::", and with a dotted IPv4 tail. Zones are refused. */
export function tryParseIpv6(text: string): Ipv6 | undefined {
  const halves = text.split("::");
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? "", halves.length === 1);
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? "", true) : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  let value = 0n;
  for (const group of [...head, ...new Array<number>(missing).fill(0), ...tail])
    value = (value << 16n) | BigInt(group);
  return value as Ipv6;
}

function groupsOf(text: string, mayEndInIpv4: boolean): number[] | undefined {
  if (text === "") return [];
  const groups: number[] = [];
  const parts = text.split(":");
  for (const [index, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
      continue;
    }
    const dotted = mayEndInIpv4 && index === parts.length - 1 ? tryParseIpv4(part) : undefined;
    if (dotted === undefined) return undefined;
    groups.push(dotted >>> 16, dotted & 0xffff);
  }
  return groups;
}

/** As {@link tryParseIpv6}; throws `invalid_argument` for anything else. */
export function parseIpv6(text: string): Ipv6 {
  const value = tryParseIpv6(text);
  if (value === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "read an IPv6 address",
      found: JSON.stringify(text),
      wanted: "eight groups of hexadecimal digits or a form with ::, as 2001:db8::1",
    });
  }
  return value;
}

/** The canonical text of RFC 5952: lower case, the longest run of two or more zero groups as "::". */
export function formatIpv6(address: Ipv6): string {
  const groups: number[] = [];
  for (let shift = 112n; shift >= 0n; shift -= 16n) groups.push(Number((address >> shift) & 0xffffn));
  let best = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (start + length < 8 && groups[start + length] === 0) length++;
    if (length > best.length) best = { start, length };
  }
  const hex = groups.map((group) => group.toString(16));
  if (best.start < 0) return hex.join(":");
  return `${hex.slice(0, best.start).join(":")}::${hex.slice(best.start + best.length).join(":")}`;
}

/** The sixteen bytes in network order. */
export function ipv6Bytes(address: Ipv6): Uint8Array {
  const bytes = new Uint8Array(16);
  for (let index = 15, rest: bigint = address; index >= 0; index--, rest >>= 8n)
    bytes[index] = Number(rest & 255n);
  return bytes;
}

export function ipv6FromBytes(bytes: Uint8Array): Ipv6 {
  if (bytes.length !== 16) {
    throw new EniverseError("invalid_argument", {
      attempted: "read an IPv6 address",
      found: `${bytes.length} bytes`,
      wanted: "16 bytes",
    });
  }
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return value as Ipv6;
}
