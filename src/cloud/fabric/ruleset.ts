import { formatCidr } from "../../addr/cidr.ts";
import { formatIpv4, type Ipv4 } from "../../addr/ipv4.ts";
import { links, sinkDevice } from "./names.ts";
import type { EdgeState, NatState } from "./wanted.ts";

/**
 * The nftables rulesets of the fabric, as text of `nft -f`. Each is one transaction, so packets see either the old
 * or the new one. The rules themselves fill the counting sets, which `read-drops.ts` reads; when
 * one is full, packets are dropped uncounted.
 */

const mostCounted = 4096;
const counting = `size ${mostCounted}; flags dynamic; counter;`;
const quoted = (device: string): string => `"${device}"`;

/**
 * The router: the source check. A packet passes when the way back to its source leads through the device that it
 * came in by, which costs one route lookup per packet; everything else is off this path. East-west traffic meets
 * no connection tracking, as there is none in this namespace.
 */
export const routerBase = `
table inet fabric {
  set unchecked { type ifname; elements = { ${quoted(links.routerToEdge.device)} } }
  set spoofed { type ifname; ${counting} }
  chain source {
    type filter hook prerouting priority raw; policy accept;
    fib saddr . iif oif missing jump spoofed
  }
  chain spoofed {
    iifname @unchecked accept
    ip6 saddr { ::, fe80::/10 } accept
    update @spoofed { iifname }
    drop
  }
}
table netdev sink {
  set lost4 { type ipv4_addr . ipv4_addr; ${counting} }
  set lost6 { type ipv6_addr . ipv6_addr; ${counting} }
  chain sink {
    type filter hook egress device ${quoted(sinkDevice)} priority 0; policy drop;
    update @lost4 { ip saddr . ip daddr }
    ip6 daddr != ff00::/8 update @lost6 { ip6 saddr . ip6 daddr }
  }
}
`;

export const routerTable = "fabric";
export const uncheckedSet = "unchecked";

/** Takes exactly `devices` (and the internet gateway) out of the source check. */
export function uncheckedScript(devices: readonly string[]): string {
  const all = [links.routerToEdge.device, ...devices].map(quoted).join(", ");
  return `flush set inet ${routerTable} ${uncheckedSet}
add element inet ${routerTable} ${uncheckedSet} { ${all} }
`;
}

/** The internet gateway's parts that never change; its sets and maps are filled by {@link edgeScript}. */
export const edgeBase = `
table inet igw {
  set with_public { type ipv4_addr; }
  map public_of { type ipv4_addr : ipv4_addr; }
  map private_of { type ipv4_addr : ipv4_addr; }
  set reachable6 { type ipv6_addr; flags interval; auto-merge; }
  set no_public { type ipv4_addr; ${counting} }
  set refused6 { type ipv6_addr; ${counting} }
  chain leaving {
    type filter hook prerouting priority raw; policy accept;
    iifname ${quoted(links.edgeToRouter.device)} meta nfproto ipv4 ip saddr != @with_public jump no_public
  }
  chain no_public {
    update @no_public { ip saddr }
    drop
  }
  chain inward {
    type nat hook prerouting priority dstnat; policy accept;
    dnat ip to ip daddr map @private_of
  }
  chain outward {
    type nat hook postrouting priority srcnat; policy accept;
    snat ip to ip saddr map @public_of
  }
  chain guard {
    type filter hook forward priority filter; policy accept;
    iifname ${quoted(links.edgeToInternet.device)} meta nfproto ipv6 ct state new ip6 daddr != @reachable6 jump refused6
  }
  chain refused6 {
    update @refused6 { ip6 daddr }
    drop
  }
}
`;

/** Fills the translations anew. */
export function edgeScript(edge: EdgeState): string {
  const pairs = [...edge.publicOf];
  const fill = (name: string, items: readonly string[]): string =>
    items.length === 0 ? "" : `add element inet igw ${name} { ${items.join(", ")} }\n`;
  const pair = (a: Ipv4, b: Ipv4): string => `${formatIpv4(a)} : ${formatIpv4(b)}`;
  return [
    ...["set with_public", "map public_of", "map private_of", "set reachable6"].map(
      (name) => `flush ${name.replace(" ", " inet igw ")}\n`,
    ),
    fill(
      "with_public",
      pairs.map(([inside]) => formatIpv4(inside)),
    ),
    fill(
      "public_of",
      pairs.map(([inside, outside]) => pair(inside, outside)),
    ),
    fill(
      "private_of",
      pairs.map(([inside, outside]) => pair(outside, inside)),
    ),
    fill("reachable6", edge.reachable6.map(formatCidr)),
  ].join("");
}

/** NAT gateways use the ports from 1024 on. */
export function natRules(nat: NatState): string {
  const address = formatIpv4(nat.address);
  return `
table ip nat
delete table ip nat
table ip nat {
  chain outward {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${address} accept
    meta l4proto { tcp, udp } snat to ${address}:1024-65535
    snat to ${address}
  }
}
`;
}
