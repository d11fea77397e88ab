import type { Ipv4 } from "../../addr/ipv4.ts";
import { ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import type { Netns } from "../../linux/netns.ts";
import { hostCidr } from "../../linux/rtnetlink/family.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import type { IpAddress } from "../../linux/rtnetlink/values.ts";
import { setKernel } from "./link.ts";
import { routerLinkLocal } from "./names.ts";
import type { Port } from "./wanted.ts";

/** Above the tables of people and ipamd; plus the device's index. */
const firstTable = 20_000;
const rulePriority = 1000;

const everything4 = { family: 4, base: ipv4(0), bits: 0 } as const;
const everything6 = { family: 6, base: 0n as Ipv6, bits: 0 } as const;

/**
 * Configures an ENI in a namespace that a service of AWS runs in, as the EKS control plane: its addresses, and a
 * table of its own for what they send, since a reply that left through another ENI would fail the source check.
 * May be called again.
 */
export function bringServiceInterfaceUp(netns: Netns, port: Port, gateway: Ipv4): void {
  using rtnetlink = Rtnetlink.open(netns);
  const interfaceIndex = rtnetlink.indexOf(port.guestDevice);
  setKernel(netns, { "net/ipv4/conf/all/rp_filter": 0, [`net/ipv4/conf/${port.guestDevice}/rp_filter`]: 0 });
  rtnetlink.setLink(interfaceIndex, { up: true });
  const table = firstTable + interfaceIndex;
  const addresses: readonly IpAddress[] = [...port.addresses, ...port.ipv6Addresses];
  for (const address of addresses) {
    const is4 = typeof address === "number";
    rtnetlink.replaceAddress({
      interfaceIndex,
      address,
      ...(is4 ? { bits: 32 } : { bits: 128, noDad: true }),
    });
    const everything = is4 ? everything4 : everything6;
    const hop = { interfaceIndex, gateway: is4 ? gateway : routerLinkLocal, onlink: true };
    rtnetlink.replaceRoute({ destination: everything, table, ...hop });
    // What is sent from no address in particular takes the first device that there is.
    rtnetlink.replaceRoute({ destination: everything, metric: table, source: address, ...hop });
    const rule = { family: everything.family, priority: rulePriority, from: hostCidr(address), table };
    rtnetlink.addRule(rule, { tolerate: "exists" });
  }
}
