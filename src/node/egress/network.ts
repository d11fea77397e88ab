import { randomBytes } from "node:crypto";
import { type Cidr, cidr4, parseCidr } from "../../addr/cidr.ts";
import { type Ipv4, ipv4 } from "../../addr/ipv4.ts";
import type { Ipv6 } from "../../addr/ipv6.ts";
import type { Mac } from "../../addr/mac.ts";
import { type Clock, realClock } from "../../base/clock.ts";
import { EniverseError, hasCode } from "../../base/error.ts";
import { type HostNetns, ipv6DeviceSysctl, setSysctlIfThere } from "../../hostnet/host.ts";
import { Netns } from "../../linux/netns.ts";
import { addAddressRequest } from "../../linux/rtnetlink/address.ts";
import { hostCidr } from "../../linux/rtnetlink/family.ts";
import { setLinkRequest } from "../../linux/rtnetlink/link.ts";
import { addRouteRequest, deleteRouteRequest, replaceRouteRequest } from "../../linux/rtnetlink/route.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import type { RouteSpec } from "../../linux/rtnetlink/values.ts";
import { readSysctl, writeSysctl } from "../../linux/sysctl.ts";

/** Names of the pod's egress devices. */
export const egressDevice = { 4: "v4if0", 6: "v6if0" } as const;

/** What the address management plugin gave, with what else the wiring needs. */
export interface EgressAddress<A> {
  readonly address: A;
  /** Prefix length. */
  readonly bits: number;
  readonly gateway: A | undefined;
  /** Destinations that leave by the egress device. */
  readonly routes: readonly Cidr[];
}

/** The two ends as a CNI result names them. */
export interface EgressVeth {
  readonly hostName: string;
  readonly hostMac: string;
  readonly containerName: string;
  readonly containerMac: string;
}

/**
 * IPv4 egress of an IPv6 pod: a veth pair whose host end has the gateway's address, every destination but the
 * gateway routed through it. On a failure the pair is taken away again.
 */
export async function setUpIpv4Egress(
  host: HostNetns,
  netnsPath: string,
  mtu: number,
  wanted: EgressAddress<Ipv4>,
  clock: Clock = realClock,
): Promise<EgressVeth> {
  const { address, bits } = wanted;
  const gateway = wanted.gateway ?? ipv4(cidr4(address, bits).base + 1);
  if (readSysctl("net.ipv4.ip_forward", host.ns) !== "1") writeSysctl("net.ipv4.ip_forward", 1, host.ns);
  return await withVeth(host, netnsPath, egressDevice[4], mtu, async (pair) => {
    const { pod, podIndex, hostIndex } = pair;
    host.rt.setLink(hostIndex, { up: true });
    const subnet = cidr4(address, bits);
    pod.batch([
      setLinkRequest(podIndex, { up: true }),
      addAddressRequest({ interfaceIndex: podIndex, address, bits }),
      deleteRouteRequest({ destination: subnet, interfaceIndex: podIndex }),
      addRouteRequest({
        destination: hostCidr(gateway),
        scope: "link",
        interfaceIndex: podIndex,
        source: address,
      }),
      addRouteRequest({ destination: subnet, gateway, interfaceIndex: podIndex, source: address }),
      ...wanted.routes.map((destination) =>
        addRouteRequest({ destination, gateway, interfaceIndex: podIndex }, { tolerate: "exists" }),
      ),
    ]);
    // Scope link keeps the address, which every pod's host end has, from being chosen as a source.
    host.rt.addAddress({ interfaceIndex: hostIndex, address: gateway, bits: 32, scope: "link" });
    await addHostRoute(
      host,
      { destination: hostCidr(address), scope: "link", interfaceIndex: hostIndex },
      clock,
    );
  });
}

/**
 * IPv6 egress of an IPv4 pod: its own device has no IPv6; a second one leads out through the link-local address
 * of its host end.
 */
export async function setUpIpv6Egress(
  host: HostNetns,
  netnsPath: string,
  mtu: number,
  wanted: EgressAddress<Ipv6>,
  podIfName: string,
  clock: Clock = realClock,
): Promise<EgressVeth> {
  return await withVeth(host, netnsPath, egressDevice[6], mtu, async (pair) => {
    const { pod, podNetns, podIndex, hostIndex, hostName } = pair;
    setSysctlIfThere(podNetns, ipv6DeviceSysctl(podIfName, "disable_ipv6"), "1");
    for (const [name, value] of [
      ["disable_ipv6", "0"],
      ["keep_addr_on_down", "1"],
      ["accept_dad", "0"],
    ] as const)
      setSysctlIfThere(podNetns, ipv6DeviceSysctl(egressDevice[6], name), value);
    setSysctlIfThere(host.ns, ipv6DeviceSysctl(hostName, "accept_dad"), "0");
    host.rt.setLink(hostIndex, { up: true });
    pod.batch([
      setLinkRequest(podIndex, { up: true }),
      addAddressRequest({ interfaceIndex: podIndex, address: wanted.address, bits: wanted.bits }),
    ]);
    const gateway = await linkLocalOf(host.rt, hostIndex, clock);
    await linkLocalOf(pod, podIndex, clock);
    pod.batch([replaceRouteRequest({ destination: parseCidr("::/0"), gateway, interfaceIndex: podIndex })]);
    await addHostRoute(
      host,
      { destination: hostCidr(wanted.address), scope: "host", interfaceIndex: hostIndex },
      clock,
    );
  });
}

interface Pair {
  readonly pod: Rtnetlink;
  readonly podNetns: Netns;
  readonly podIndex: number;
  readonly hostIndex: number;
  readonly hostName: string;
}

/** Makes a pair, lets `work` configure it, and takes it away when that fails. */
async function withVeth(
  host: HostNetns,
  netnsPath: string,
  containerName: string,
  mtu: number,
  work: (pair: Pair) => Promise<void>,
): Promise<EgressVeth> {
  using podNetns = Netns.open(netnsPath);
  using pod = Rtnetlink.open(podNetns);
  const hostName = `veth${randomBytes(4).toString("hex")}`;
  const { index, peerIndex } = host.rt.addVeth({
    name: hostName,
    mtu,
    peer: { name: containerName, mtu, netns: podNetns },
  });
  try {
    await work({ pod, podNetns, podIndex: peerIndex, hostIndex: index, hostName });
    return {
      hostName,
      hostMac: macOf(host.rt, index),
      containerName,
      containerMac: macOf(pod, peerIndex),
    };
  } catch (error) {
    host.rt.deleteLink(index, { tolerate: "absent" });
    throw error;
  }
}

function macOf(rt: Rtnetlink, index: number): Mac | "" {
  return rt.linkByIndex(index)?.mac ?? "";
}

const routeTries = 5;
const routePauseMs = 100;

/** A pod that had the address before may be on its way out: its route goes within moments. */
async function addHostRoute(host: HostNetns, route: RouteSpec, clock: Clock): Promise<void> {
  for (let left = routeTries; ; left--) {
    try {
      host.rt.addRoute(route);
      return;
    } catch (error) {
      if (!hasCode(error, "already_exists") || left === 1) throw error;
      await clock.sleep(routePauseMs);
    }
  }
}

const stablePollMs = 50;
const stableLimitMs = 10_000;

/** The device's link-local address, once nothing on the device is tentative any more. */
async function linkLocalOf(rt: Rtnetlink, interfaceIndex: number, clock: Clock): Promise<Ipv6> {
  const deadline = clock.now() + stableLimitMs;
  for (;;) {
    const addresses = rt.addresses({ family: 6, interfaceIndex });
    const found = addresses.find((candidate) => candidate.scope === "link")?.address;
    if (typeof found === "bigint" && !addresses.some((address) => address.tentative)) return found;
    if (clock.now() >= deadline) {
      throw new EniverseError("timeout", {
        attempted: "wait for IPv6 addresses",
        found: `device ${interfaceIndex} has no stable link-local address after ${stableLimitMs} ms`,
      });
    }
    await clock.sleep(stablePollMs);
  }
}
