import { viewOf } from "./netlink/align.ts";
import type { Family } from "./rtnetlink/values.ts";

/** An echo request or reply: RFC 792 for IPv4, RFC 4443 §4.1 for IPv6. */
export interface Echo {
  readonly identifier: number;
  readonly sequence: number;
  readonly payload: Uint8Array;
}

const echoTypes = { 4: { request: 8, reply: 0 }, 6: { request: 128, reply: 129 } } as const;
const headerLength = 8;

/** The request's bytes. The checksum of ICMPv6 is the kernel's task (RFC 3542 §3.1) and stays 0. */
export function encodeEchoRequest(family: Family, echo: Echo): Uint8Array {
  const bytes = new Uint8Array(headerLength + echo.payload.length);
  const view = viewOf(bytes);
  bytes[0] = echoTypes[family].request;
  view.setUint16(4, echo.identifier);
  view.setUint16(6, echo.sequence);
  bytes.set(echo.payload, headerLength);
  if (family === 4) view.setUint16(2, internetChecksum(bytes));
  return bytes;
}

/**
 * Reads what a raw socket received, which begins with the IP header for IPv4 and without it for IPv6; undefined
 * for everything that is not an echo reply.
 */
export function decodeEchoReply(family: Family, packet: Uint8Array): Echo | undefined {
  const skip = family === 4 ? ((packet[0] ?? 0) & 0x0f) * 4 : 0;
  const bytes = packet.subarray(skip);
  if (bytes.length < headerLength || bytes[0] !== echoTypes[family].reply) return undefined;
  const view = viewOf(bytes);
  return {
    identifier: view.getUint16(4),
    sequence: view.getUint16(6),
    payload: bytes.subarray(headerLength),
  };
}

/** RFC 1071: the complement of the one's-complement sum of 16-bit words. */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < bytes.length; index += 2)
    sum += ((bytes[index] ?? 0) << 8) | (bytes[index + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return ~sum & 0xffff;
}
