import { randomBytes } from "node:crypto";
import { type Cidr, parseCidr } from "../addr/cidr.ts";
import { type Ipv4, parseIpv4 } from "../addr/ipv4.ts";
import { type Ipv6, parseIpv6 } from "../addr/ipv6.ts";
import { type Mac, macFromBytes } from "../addr/mac.ts";
import { type Clock, realClock } from "../base/clock.ts";
import { EniverseError, hasCode } from "../base/error.ts";
import { Netns } from "../linux/netns.ts";
import { addAddressRequest } from "../linux/rtnetlink/address.ts";
import { familyOf, hostCidr } from "../linux/rtnetlink/family.ts";
import { deleteLinkByNameRequest, setLinkRequest } from "../linux/rtnetlink/link.ts";
import { replaceNeighbourRequest } from "../linux/rtnetlink/neighbour.ts";
import { deleteRouteRequest, replaceRouteRequest } from "../linux/rtnetlink/route.ts";
import { Rtnetlink, type RtRequest } from "../linux/rtnetlink/rtnetlink.ts";
import { addRuleRequest, deleteRuleRequest } from "../linux/rtnetlink/rule.ts";
import type { IpAddress, RuleSpec } from "../linux/rtnetlink/values.ts";
import { type HostNetns, ipv6DeviceSysctl, setSysctlIfThere } from "./host.ts";
import { mainTable, rulePriority } from "./route-tables.ts";

/** One address of an ordinary pod and the veth pair that carries it. */
export interface PodInterface {
  /** 0 for the only or first one; further ones have tables of their own in the pod. */
  readonly index: number;
  readonly hostName: string;
  readonly containerName: string;
  readonly address: IpAddress;
  /** Table of the ENI that the address belongs to; {@link mainTable} for the primary ENI. */
  readonly routeTable: number;
  readonly mtu: number;
}

/** What the kernel has to be told to take the host's side of a pod away. */
export type PodRoute = Pick<PodInterface, "address" | "routeTable">;

/**
 * Makes the network of an ordinary pod: for each interface a veth pair, one end in the pod with the address, a
 * default route through a made-up gateway and a permanent neighbour entry for it; on the host a route to the
 * address and the rules that choose the ENI. Devices that already bear the host's names are replaced. When it
 * resolves, the addresses can be used. On a failure what was made is taken away again. `whenLinked` is called as
 * soon as all devices are there: who waits for no more than that can begin. All the rest waits for it.
 */
export async function setUpPodNetwork(
  host: HostNetns,
  netnsPath: string,
  interfaces: readonly PodInterface[],
  { clock = realClock, whenLinked = nobodyWaits }: { clock?: Clock; whenLinked?: WhenLinked } = {},
): Promise<void> {
  using podNetns = Netns.open(netnsPath);
  using pod = Rtnetlink.open(podNetns);
  const made: PodInterface[] = [];
  try {
    for (const wanted of interfaces) {
      made.push(wanted);
      const isLast = made.length === interfaces.length;
      const waiting = isLast ? whenLinked : nobodyWaits;
      const interfaceIndex = await setUpInterface(host, podNetns, pod, wanted, waiting);
      if (familyOf(wanted.address) === 6) await untilStable(pod, interfaceIndex, clock);
    }
  } catch (error) {
    host.rt.tryBatch(made.map((wanted) => deleteLinkByNameRequest(wanted.hostName)));
    tearDownPodNetwork(host, made);
    throw error;
  }
}

/** What can begin when a pod's devices are there. */
export type WhenLinked = () => Promise<void> | undefined;

const nobodyWaits: WhenLinked = () => undefined;

/** Returns the index of the pod's end. */
async function setUpInterface(
  host: HostNetns,
  podNetns: Netns,
  pod: Rtnetlink,
  wanted: PodInterface,
  whenLinked: WhenLinked,
): Promise<number> {
  const hostMac = randomHostMac();
  const spec = {
    name: wanted.hostName,
    mac: hostMac,
    mtu: wanted.mtu,
    txQueueLength: 0,
    queues,
    peer: { name: wanted.containerName, netns: podNetns, mtu: wanted.mtu, txQueueLength: 0, queues },
  };
  const ends = addVethOver(host, spec);
  const begun = whenLinked();
  if (begun !== undefined) await begun;
  for (const [name, value] of hostEndSysctls)
    setSysctlIfThere(host.ns, ipv6DeviceSysctl(wanted.hostName, name), value);
  if (familyOf(wanted.address) === 6) prepareIpv6(host, podNetns, wanted);
  host.rt.setLink(ends.index, { up: true });
  applyToEnd(pod, ends.peerIndex, podRequests(wanted, ends.peerIndex, hostMac));
  applyToEnd(host.rt, ends.index, hostRequests(wanted, ends.index));
  return ends.peerIndex;
}

/**
 * A veth sends without locks or queueing discipline, so that more queues than one bring nothing; but they cost a
 * third of the time that making a pair takes on two processors, and more on larger machines.
 */
const queues = 1;

/**
 * Largest segment that TCP may hand to a pod's device ("BIG TCP"). A packet to another pod passes several devices
 * that each cost per segment; three times the usual 64 KiB makes up for them.
 */
const largestSegment = 196_608;

/** Kernels that cannot do big segments are slower, not wrong; any other failure is thrown. */
function applyToEnd(rt: Rtnetlink, index: number, requests: readonly RtRequest[]): void {
  const [, ...outcomes] = rt.tryBatch([setLinkRequest(index, { largestSegment }), ...requests]);
  for (const error of outcomes) if (error !== undefined) throw error;
}

/** The pod's side; each request needs the ones before it. */
function podRequests(wanted: PodInterface, interfaceIndex: number, gatewayMac: Mac): RtRequest[] {
  const gateway = podGateway(wanted);
  const table = wanted.index === 0 ? mainTable : wanted.index;
  const requests = [
    setLinkRequest(interfaceIndex, { up: true }),
    replaceRouteRequest({ destination: hostCidr(gateway), scope: "link", interfaceIndex, table }),
  ];
  if (wanted.index > 0) {
    requests.push(
      addRuleRequest(
        {
          family: familyOf(gateway),
          priority: rulePriority.podSource,
          from: hostCidr(wanted.address),
          table,
        },
        { tolerate: "exists" },
      ),
    );
  }
  requests.push(
    replaceRouteRequest({ destination: everything(familyOf(gateway)), gateway, interfaceIndex, table }),
    addAddressRequest({
      interfaceIndex,
      address: wanted.address,
      bits: hostCidr(wanted.address).bits,
    }),
    replaceNeighbourRequest({ interfaceIndex, address: gateway, mac: gatewayMac, state: "permanent" }),
  );
  return requests;
}

/** The host's side, once its end is up. */
function hostRequests(wanted: PodInterface, interfaceIndex: number): RtRequest[] {
  const destination = hostCidr(wanted.address);
  return [
    replaceRouteRequest({ destination, scope: "link", interfaceIndex }),
    ...podRules(wanted).map((rule) => addRuleRequest(rule, { tolerate: "exists" })),
  ];
}

/** The rules of one pod address: to it by main, from it by its ENI's table. */
export function podRules(pod: PodRoute): RuleSpec[] {
  const block = hostCidr(pod.address);
  const toPod: RuleSpec = {
    family: block.family,
    priority: rulePriority.toPod,
    to: block,
    table: mainTable,
  };
  if (pod.routeTable === mainTable) return [toPod];
  return [
    toPod,
    { family: block.family, priority: rulePriority.fromPod, from: block, table: pod.routeTable },
  ];
}

/**
 * Takes the host's side of pods away: rules and routes; what is gone already is fine. The veth pairs go with the
 * pod's namespace. Throws when the kernel refuses to delete a rule.
 */
export function tearDownPodNetwork(host: HostNetns, pods: readonly PodRoute[]): void {
  const requests: RtRequest[] = [];
  for (const pod of pods) {
    const destination = hostCidr(pod.address);
    requests.push(
      ...podRules(pod).map((rule) => deleteRuleRequest(rule, { tolerate: "absent" })),
      deleteRouteRequest({ destination, scope: "link" }, { tolerate: "absent" }),
    );
  }
  host.rt.batch(requests);
  for (const pod of pods) deleteFurtherRules(host, pod);
}

/** Versions before made one rule per VPC block; all rules from the address to its table have to go. */
function deleteFurtherRules(host: HostNetns, pod: PodRoute): void {
  const fromPod = podRules(pod)[1];
  if (fromPod === undefined) return;
  for (;;) {
    const [failure] = host.rt.tryBatch([deleteRuleRequest(fromPod)]);
    if (failure === undefined) continue;
    if (hasCode(failure, "not_found")) return;
    throw failure;
  }
}

/** Makes the pair; when a device of the host's name is there, it is replaced. */
function addVethOver(
  host: HostNetns,
  spec: Parameters<Rtnetlink["addVeth"]>[0],
): ReturnType<Rtnetlink["addVeth"]> {
  try {
    return host.rt.addVeth(spec);
  } catch (error) {
    if (!hasCode(error, "already_exists")) throw error;
    const old = host.rt.linkByName(spec.name);
    // Then it is the pod that has a device of this name, and not of our making.
    if (old === undefined) throw error;
    host.rt.deleteLink(old.index, { tolerate: "absent" });
    return host.rt.addVeth(spec);
  }
}

/**
 * Before the ends are up. Nobody else is on the link, so neither end has to find out for a second or two whether
 * its address is taken: until then the host could not even ask for the pod's MAC.
 */
function prepareIpv6(host: HostNetns, podNetns: Netns, wanted: PodInterface): void {
  setSysctlIfThere(host.ns, ipv6DeviceSysctl(wanted.hostName, "accept_dad"), "0");
  setSysctlIfThere(podNetns, ipv6DeviceSysctl(wanted.containerName, "accept_dad"), "0");
  for (const device of [wanted.containerName, "lo"])
    setSysctlIfThere(podNetns, ipv6DeviceSysctl(device, "disable_ipv6"), "0");
}

const stablePollMs = 50;
const stableLimitMs = 10_000;

/** Duplicate address detection can be forced for all devices (conf.all.accept_dad); then it takes its time. */
async function untilStable(pod: Rtnetlink, interfaceIndex: number, clock: Clock): Promise<void> {
  const deadline = clock.now() + stableLimitMs;
  const unstable = (): boolean =>
    pod.addresses({ family: 6, interfaceIndex }).some((found) => found.tentative || found.dadFailed);
  while (unstable()) {
    if (clock.now() >= deadline) {
      throw new EniverseError("timeout", {
        attempted: "set up the pod's IPv6 address",
        found: "setup NS network: failed while waiting for v6 addresses to be stable",
        wanted: `no tentative address after ${stableLimitMs} ms`,
      });
    }
    await clock.sleep(stablePollMs);
  }
}

/** A random unicast address of the locally administered range. */
function randomHostMac(): Mac {
  const bytes = randomBytes(6);
  bytes[0] = ((bytes[0] ?? 0) | 0x02) & 0xfe;
  return macFromBytes(bytes);
}

/** On the host's end before it is up. Redirects are on, as the official CNI leaves them. */
const hostEndSysctls = [
  ["accept_ra", "0"],
  ["accept_redirects", "1"],
  ["forwarding", "0"],
] as const;

const gateway4 = parseIpv4("169.254.1.1");
const gateway6 = parseIpv6("fe80::1");

/** 169.254.1.1 or fe80::1 for the first interface, one more for each further one. */
function podGateway(wanted: PodInterface): IpAddress {
  return typeof wanted.address === "bigint"
    ? ((gateway6 + BigInt(wanted.index)) as Ipv6)
    : ((gateway4 + wanted.index) as Ipv4);
}

function everything(family: 4 | 6): Cidr {
  return parseCidr(family === 4 ? "0.0.0.0/0" : "::/0");
}
