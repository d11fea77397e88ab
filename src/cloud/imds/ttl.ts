import { readdirSync } from "node:fs";
import { formatIpv4, ipv4FromBytes } from "../../addr/ipv4.ts";
import { formatIpv6, ipv6FromBytes } from "../../addr/ipv6.ts";
import { AF_INET, AF_INET6, raw, setIntOption } from "../../linux/libc.ts";

/** linux/in.h and linux/in6.h. */
const IPPROTO_IP = 0;
const IP_TTL = 2;
const IPPROTO_IPV6 = 41;
const IPV6_UNICAST_HOPS = 16;

/**
 * Sets the IP TTL (or IPv6 hop limit) of what an accepted connection sends from now on. The HTTP server does not tell
 * its file descriptors, so the one with this peer is looked up among the process's own. Returns false when there is
 * none.
 */
export function setConnectionTtl(peerAddress: string, peerPort: number, ttl: number): boolean {
  for (const name of readdirSync("/proc/self/fd")) {
    const fd = Number(name);
    const peer = peerOf(fd);
    if (peer?.port !== peerPort || peer.address !== plainAddress(peerAddress)) continue;
    if (peer.ipv6) setIntOption(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
    // An IPv4 connection of a dual-stack listener is an IPv6 socket that keeps the IPv4 TTL apart.
    if (!peer.ipv6 || peer.mapped) setIntOption(fd, IPPROTO_IP, IP_TTL, ttl);
    return true;
  }
  return false;
}

interface Peer {
  readonly address: string;
  readonly port: number;
  readonly ipv6: boolean;
  readonly mapped: boolean;
}

/** The peer of a connected socket; undefined for every other descriptor. */
function peerOf(fd: number): Peer | undefined {
  const bytes = new Uint8Array(28);
  const length = new Uint32Array([bytes.length]);
  if (raw.getpeername(fd, bytes, length) !== 0) return undefined;
  const view = new DataView(bytes.buffer);
  // sa_family is in host order, the port in network order.
  const family = new Uint16Array(bytes.buffer, 0, 1)[0];
  const port = view.getUint16(2);
  if (family === AF_INET) {
    return { address: formatIpv4(ipv4FromBytes(bytes.subarray(4, 8))), port, ipv6: false, mapped: false };
  }
  if (family !== AF_INET6) return undefined;
  const address = plainAddress(formatIpv6(ipv6FromBytes(bytes.subarray(8, 24))));
  return { address, port, ipv6: true, mapped: address.includes(".") };
}

/** "::ffff:10.0.0.1" and its hexadecimal form as "10.0.0.1". */
export function plainAddress(address: string): string {
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (dotted !== undefined) return dotted;
  const hex = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(address);
  if (hex?.[1] === undefined || hex[2] === undefined) return address;
  const high = Number.parseInt(hex[1], 16);
  const low = Number.parseInt(hex[2], 16);
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
}
