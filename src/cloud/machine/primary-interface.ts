import { type Cidr4, cidr4, cidr6, lastIpv4 } from "../../addr/cidr.ts";
import { type Ipv4, ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import type { Netns } from "../../linux/netns.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import { routeProtocol } from "../../linux/rtnetlink/values.ts";
import { writeSysctl } from "../../linux/sysctl.ts";
import { routerLinkLocal } from "../fabric/names.ts";

/** What DHCP tells an instance about its primary interface. */
export interface PrimaryInterface {
  /** "eth0". */
  readonly device: string;
  readonly address: Ipv4;
  readonly subnet: Cidr4;
  readonly mtu: number;
  readonly ipv6Address?: Ipv6;
}

/** RTPROT_DHCP of <linux/rtnetlink.h> */
const protocolDhcp = 16;
/** The metric of Amazon Linux 2023's routes. */
const metric = 512;

/**
 * What `dhclient` or `systemd-networkd` do with the primary interface of an EC2 instance. Secondary interfaces are
 * left down: they are ipamd's. IPv6 addresses are single (/128), everything goes through the router.
 */
export function bringPrimaryUp(netns: Netns, primary: PrimaryInterface): void {
  const { device, address, subnet, ipv6Address } = primary;
  using rtnetlink = Rtnetlink.open(netns);
  const interfaceIndex = rtnetlink.indexOf(device);
  if (ipv6Address !== undefined) {
    writeSysctl(`net/ipv6/conf/${device}/disable_ipv6`, 0, netns);
    writeSysctl(`net/ipv6/conf/${device}/accept_ra`, 0, netns);
  }
  rtnetlink.setLink(interfaceIndex, { mtu: primary.mtu, up: true });
  rtnetlink.replaceAddress({ interfaceIndex, address, bits: subnet.bits, broadcast: lastIpv4(subnet) });
  rtnetlink.replaceRoute({
    destination: cidr4(ipv4(0), 0),
    interfaceIndex,
    gateway: ipv4(subnet.base + 1),
    source: address,
    protocol: protocolDhcp,
    metric,
  });
  if (ipv6Address === undefined) return;
  rtnetlink.replaceAddress({ interfaceIndex, address: ipv6Address, bits: 128, noDad: true });
  rtnetlink.replaceRoute({
    destination: cidr6(0n as Ipv6, 0),
    interfaceIndex,
    gateway: routerLinkLocal,
    protocol: routeProtocol.ra,
    metric,
  });
}
