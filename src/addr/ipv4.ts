import { EniverseError } from "../base/error.ts";

/** An IPv4 address as a number in [0, 2^32). */
export type Ipv4 = number & { readonly __ipv4: true };

/** Takes a number for an address; the caller knows that it is in range. */
export function ipv4(value: number): Ipv4 {
  return (value >>> 0) as Ipv4;
}

/** Reads dotted decimal ("10.0.1.17"), strictly: four parts of 0…255, no leading zeros. */
export function tryParseIpv4(text: string): Ipv4 | undefined {
  const parts = text.split(".");
  if (parts.length !== 4) return undefined;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part)) return undefined;
    const octet = Number(part);
    if (octet > 255) return undefined;
    value = value * 256 + octet;
  }
  return value as Ipv4;
}

/** As {@link tryParseIpv4}; throws `invalid_argument` for anything else. */
export function parseIpv4(text: string): Ipv4 {
  const value = tryParseIpv4(text);
  if (value === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "read an IPv4 address",
      found: JSON.stringify(text),
      wanted: "four numbers of 0 to 255 with dots between, as 10.0.1.17",
    });
  }
  return value;
}

export function formatIpv4(address: Ipv4): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** The four bytes in network order. */
export function ipv4Bytes(address: Ipv4): Uint8Array {
  return Uint8Array.of(address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255);
}

export function ipv4FromBytes(bytes: Uint8Array): Ipv4 {
  if (bytes.length !== 4) {
    throw new EniverseError("invalid_argument", {
      attempted: "read an IPv4 address",
      found: `${bytes.length} bytes`,
      wanted: "4 bytes",
    });
  }
  return ipv4(new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0));
}
