import { ipv4 } from "../../addr/ipv4.ts";
import type { Netns } from "../../linux/netns.ts";
import { runNft } from "../../linux/nft.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { setFastLink, setKernel, startIpv4 } from "./link.ts";
import { natRules } from "./ruleset.ts";
import type { NatState } from "./wanted.ts";

/** The name of the ENI's device in the namespace of a NAT gateway. */
export const natDevice = "eth0";

/** Idle connections of a NAT gateway end after 350 seconds. */
const idleSeconds = 350;

/** Sets up the namespace of a NAT gateway once its ENI's device is in it. May be called again. */
export function setUpNatGateway(netns: Netns, nat: NatState): void {
  // What comes in goes out by the same device, which Linux would otherwise tell the sender (send_redirects).
  startIpv4(netns);
  setKernel(netns, {
    [`net/ipv4/conf/${natDevice}/send_redirects`]: 0,
    [`net/ipv4/conf/${natDevice}/rp_filter`]: 0,
  });
  // Loading the rules is what makes the namespace's connection tracking settings appear.
  runNft(natRules(nat), netns);
  setKernel(netns, { "net/netfilter/nf_conntrack_tcp_timeout_established": idleSeconds });

  using rtnetlink = Rtnetlink.open(netns);
  rtnetlink.setLink(rtnetlink.indexOf("lo"), { up: true });
  const interfaceIndex = rtnetlink.indexOf(natDevice);
  setFastLink(rtnetlink, interfaceIndex, { up: true });
  for (const entry of rtnetlink.addresses({ interfaceIndex, family: 4 })) {
    if (entry.address !== nat.address)
      rtnetlink.deleteAddress({ interfaceIndex, address: entry.address, bits: entry.bits });
  }
  rtnetlink.replaceAddress({ interfaceIndex, address: nat.address, bits: 32 });
  rtnetlink.replaceRoute({
    destination: { family: 4, base: ipv4(0), bits: 0 },
    interfaceIndex,
    gateway: nat.gateway,
    onlink: true,
  });
}
