import { type Ipv4, parseIpv4 } from "../../addr/ipv4.ts";
import { type Ipv6, ipv6, parseIpv6 } from "../../addr/ipv6.ts";
import { type Mac, macBytes, parseMac } from "../../addr/mac.ts";

/** Jumbo frames, as inside a VPC. */
export const vpcMtu = 9001;

/** IFNAMSIZ of <linux/if.h> less the closing zero. */
const maxDeviceName = 15;

/** Name of the router's end of an ENI: "eni-0a1b2c3d4e5f60718" → "e-c3d4e5f60718"-like, its last digits. */
export function portDevice(eniId: string): string {
  return `e-${eniId.replace(/^eni-/, "").slice(2 - maxDeviceName)}`;
}

/** True for devices that {@link portDevice} names. */
export const isPortDevice = (device: string): boolean => device.startsWith("e-");

/** FNV-1a, 32 bits. */
function hash32(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/**
 * Route tables of a subnet: routes inside the VPC (even numbers) and out of it (odd numbers). They depend on the
 * id alone, so that adding a subnet renumbers nothing; all are above the numbers that people and kernels use.
 */
export const insideTable = (subnetId: string): number => 0x1_0000 + (hash32(subnetId) % 0x3fff_0000) * 2;
export const outsideTable = (subnetId: string): number => insideTable(subnetId) + 1;

/** Every router end has this MAC; each is alone with its ENI, so they never meet. */
export const routerMac: Mac = parseMac("0a:ec:02:00:00:01");

/** The VPC router's address on every IPv6 subnet. */
export const routerLinkLocal: Ipv6 = parseIpv6("fe80:ec2::1");

/** The link-local address that a MAC makes (RFC 4291, modified EUI-64). */
export function linkLocalOf(mac: Mac): Ipv6 {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = macBytes(mac);
  let value = 0xfe80n << 112n;
  for (const [index, byte] of [a ^ 2, b, c, 0xff, 0xfe, d, e, f].entries())
    value |= BigInt(byte) << BigInt(56 - 8 * index);
  return ipv6(value);
}

/** Device names and link addresses of the fabric's own connections; addresses are seen on no other device. */
export const internetDevice = "igw";
export const sinkDevice = "sink";
export const sinkPeerDevice = "sink-end";

/** One side of a connection between two of the fabric's namespaces. */
export interface LinkEnd {
  readonly device: string;
  readonly mac: Mac;
  readonly ip4: Ipv4;
  readonly ip6: Ipv6;
}

const linkEnd = (device: string, number: number): LinkEnd => {
  const mac = parseMac(`0a:ec:02:00:01:0${number}`);
  return { device, mac, ip4: parseIpv4(`169.254.100.${number}`), ip6: linkLocalOf(mac) };
};

/** Router to internet gateway, and internet gateway to internet. */
export const links = {
  routerToEdge: linkEnd(internetDevice, 1),
  edgeToRouter: linkEnd("vpc", 2),
  edgeToInternet: linkEnd("internet", 3),
  internetToEdge: linkEnd("igw", 4),
  sink: linkEnd(sinkDevice, 5),
  sinkEnd: linkEnd(sinkPeerDevice, 6),
} as const;
