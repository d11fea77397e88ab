import type { Netns } from "../../linux/netns.ts";
import { setLinkRequest } from "../../linux/rtnetlink/link.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import type { LinkChanges } from "../../linux/rtnetlink/values.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import type { LinkEnd } from "./names.ts";

/**
 * Lets TCP hand segments of up to 192 KiB to a device instead of 64 ("BIG TCP"). Every hop of a lab costs per
 * segment, not per byte, so the longer way through the router is made up for.
 */
const largestSegment = 196_608;

/** Sets up a device for big segments and whatever else; kernels that cannot do them are slower, not wrong. */
export function setFastLink(rtnetlink: Rtnetlink, index: number, changes: LinkChanges): void {
  const [refused] = rtnetlink.tryBatch([setLinkRequest(index, { ...changes, largestSegment })]);
  if (refused !== undefined && Object.keys(changes).length > 0) rtnetlink.setLink(index, changes);
}

/** Writes kernel settings of one namespace. */
export function setKernel(netns: Netns, settings: Readonly<Record<string, number>>): void {
  for (const [key, value] of Object.entries(settings)) writeSysctl(key, value, netns);
}

/**
 * IPv4 forwarding with the ARP and source settings that the fabric counts on: a new namespace takes them over from
 * the machine's own, which may have any (ip-sysctl.rst, devconf_inherit_init_net).
 */
export function startIpv4(netns: Netns): void {
  const settings = ["rp_filter", "arp_ignore", "arp_filter", "arp_announce", "send_redirects"];
  setKernel(netns, { "net/ipv4/ip_forward": 1 });
  for (const which of ["all", "default"])
    for (const setting of settings) setKernel(netns, { [`net/ipv4/conf/${which}/${setting}`]: 0 });
}

/** IPv6 forwarding without everything that takes time or comes from outside: DAD, router advertisements. */
export function startIpv6(netns: Netns): void {
  setKernel(netns, {
    "net/ipv6/conf/all/disable_ipv6": 0,
    "net/ipv6/conf/default/disable_ipv6": 0,
    "net/ipv6/conf/all/forwarding": 1,
    "net/ipv6/conf/default/accept_dad": 0,
    "net/ipv6/conf/default/dad_transmits": 0,
    "net/ipv6/conf/default/accept_ra": 0,
  });
}

/**
 * Connects two of the fabric's namespaces with a veth pair: both ends up, each knowing the other's MAC, so that
 * nothing is ever resolved between them. Keeps a pair that is there. Returns the index of the near end.
 */
export function connectEnds(here: Netns, near: LinkEnd, there: Netns, far: LinkEnd, mtu: number): number {
  using nearSide = Rtnetlink.open(here);
  using farSide = Rtnetlink.open(there);
  if (nearSide.linkByName(near.device) === undefined) {
    const end = { name: near.device, mac: near.mac, mtu };
    nearSide.addVeth({ ...end, peer: { name: far.device, mac: far.mac, mtu, netns: there } });
  }
  const index = nearSide.indexOf(near.device);
  const farIndex = farSide.indexOf(far.device);
  finishEnd(nearSide, index, far);
  finishEnd(farSide, farIndex, near);
  return index;
}

function finishEnd(rtnetlink: Rtnetlink, index: number, other: LinkEnd): void {
  setFastLink(rtnetlink, index, { up: true });
  rtnetlink.replaceNeighbour({ interfaceIndex: index, address: other.ip4, mac: other.mac });
  rtnetlink.replaceNeighbour({ interfaceIndex: index, address: other.ip6, mac: other.mac });
}
