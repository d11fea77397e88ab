import type { EC2Client } from "@aws-sdk/client-ec2";
import { tryParseIpv4 } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { EniverseError } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { daemonSets, type Pod, pods } from "../../kube/resources.ts";
import { type EchoListener, openEchoListener } from "../../linux/echo-listener.ts";
import { Netns } from "../../linux/netns.ts";
import { type ProbeResult, ping, probeTcp, probeUdp } from "../../linux/probe-socket.ts";
import { formatAddress } from "../../linux/rtnetlink/family.ts";
import { Rtnetlink } from "../../linux/rtnetlink/rtnetlink.ts";
import type { IpAddress } from "../../linux/rtnetlink/values.ts";
import { egressDevice } from "../../node/egress/network.ts";
import type { LabMachine, LabStatus } from "../control.ts";
import { podNetnsPaths } from "../pod-netns.ts";
import { type Check, type CheckResult, judge, networkModelChecks, type Party } from "./checks.ts";
import { readWayOut, sourceSeenOutside, type WayOut } from "./outside.ts";

/** Longest wait for one answer. */
const timeoutMs = 2000;
/** Probes in flight at once. */
const atOnce = 64;
/** TCP and UDP port of the internet's echo service (RFC 862 has the number). */
const internetEchoPort = 7;

/**
 * Checks the Kubernetes network model in a running lab with real packets: opens an echo listener in every pod and
 * node, probes every pair in every protocol from inside the sender's own namespace, and closes the listeners again.
 */
export async function verifyLab(lab: LabStatus, kube: KubeClient, ec2: EC2Client): Promise<CheckResult[]> {
  const parties = await partiesOf(lab, kube, ec2);
  const checks = networkModelChecks(parties);
  if (checks.length === 0) {
    throw new EniverseError("not_found", {
      attempted: `verify the network of the lab ${lab.name}`,
      found: "no pod runs, so there is nothing to check",
      fix: "Run some: eniverse run web --replicas 12",
    });
  }
  const present = parties.filter(({ netns }) => netns !== undefined);
  const namespaces = new Map(present.map((party) => [party, Netns.open(party.netns ?? "")]));
  const listeners = new Map<Party, EchoListener>();
  try {
    for (const [party, ns] of namespaces) {
      if (party.kind !== "internet")
        listeners.set(party, await openEchoListener(ns, { address: anyAddress(party) }));
    }
    return await inParallel(checks, atOnce, async (check) => {
      const ns = namespaces.get(check.from);
      const lost = [check.from, check.to].find(({ netns }) => netns === undefined);
      if (ns === undefined || lost !== undefined) {
        return judge(check, { error: `${(lost ?? check.from).name} has no network namespace on its node` });
      }
      return judge(check, answerOf(check, await probe(ns, check, listeners.get(check.to))));
    });
  } finally {
    for (const listener of listeners.values()) listener.close();
    for (const ns of namespaces.values()) ns.close();
  }
}

function parseAddress(text: string): IpAddress {
  return tryParseIpv4(text) ?? parseIpv6(text);
}

function anyAddress(party: Party): IpAddress {
  return parseAddress(party.address.includes(":") ? "::" : "0.0.0.0");
}

function probe(ns: Netns, check: Check, listener: EchoListener | undefined): Promise<ProbeResult> {
  const to = parseAddress(check.to.address);
  switch (check.protocol) {
    case "icmp":
      return ping(ns, { to, timeoutMs });
    case "tcp":
      return probeTcp(ns, { to, port: listener?.tcpPort ?? internetEchoPort, timeoutMs });
    case "udp":
      return probeUdp(ns, { to, port: listener?.udpPort ?? internetEchoPort, timeoutMs });
  }
}

/** An echo answers with the source that it saw, "10.0.1.17 40312"; a ping tells none. */
function answerOf(check: Check, result: ProbeResult): Parameters<typeof judge>[1] {
  if (!result.ok) return { error: result.reason };
  const { rttMs } = result;
  const source = result.answer.trim().split(" ")[0];
  if (check.protocol === "icmp" || source === undefined) return { rttMs };
  return { rttMs, seenSource: formatAddress(parseAddress(source)) };
}

async function partiesOf(lab: LabStatus, kube: KubeClient, ec2: EC2Client): Promise<Party[]> {
  const [{ items }, wayOut, externalSnat] = await Promise.all([
    kube.list(pods),
    readWayOut(ec2),
    usesExternalSnat(kube),
  ]);
  const running = items.filter(
    (pod) => pod.status?.phase === "Running" && pod.metadata.deletionTimestamp === undefined,
  );
  const ofPods = lab.machines.map((machine) => podParties(machine, running, wayOut, externalSnat));
  const known = new Set(lab.machines.map(({ nodeName }) => nodeName));
  const nowhere = running.filter((pod) => !known.has(pod.spec?.nodeName ?? "") && !pod.spec?.hostNetwork);
  return [
    ...ofPods.flat(),
    ...nowhere.flatMap((pod) => lostParty(pod)),
    ...lab.machines.map((machine) => nodeParty(machine, lab.ipFamily)),
    ...internetParty(lab, "internet", lab.internetEcho),
    ...internetParty(lab, "internet-ipv6", lab.internetEcho6),
  ];
}

function internetParty(lab: LabStatus, name: string, address: string | undefined): Party[] {
  const netns = lab.namespaces.internet;
  if (netns === undefined || address === undefined) return [];
  return [{ kind: "internet", name, address, node: "", netns }];
}

/** A node goes by its address of the cluster's family. */
function nodeParty(machine: LabMachine, family: LabStatus["ipFamily"]): Party {
  const name = machine.nodeName.split(".")[0] ?? machine.nodeName;
  return {
    kind: "node",
    name,
    address: family === "ipv6" ? (machine.ipv6Address ?? machine.address) : machine.address,
    node: machine.nodeName,
    netns: `/proc/${machine.initPid}/ns/net`,
  };
}

function podParties(
  machine: LabMachine,
  running: readonly Pod[],
  wayOut: WayOut,
  externalSnat: boolean,
): Party[] {
  const netns = podNetnsPaths(machine);
  return running
    .filter((pod) => pod.spec?.nodeName === machine.nodeName && !pod.spec.hostNetwork)
    .flatMap((pod) => {
      const address = pod.status?.podIP;
      const path = netns.get(pod.metadata.uid ?? "");
      if (address === undefined) return [];
      if (path === undefined) return lostParty(pod);
      // IPv4: by default the node translates to its primary address on the way out; the VPC's gateway comes after.
      const translated = !externalSnat && !address.includes(":");
      const outside = sourceSeenOutside(wayOut, translated ? machine.address : address);
      const egress = egressOf(path, machine, wayOut);
      return [
        {
          kind: "pod" as const,
          name: `${pod.metadata.namespace}/${pod.metadata.name}`,
          address,
          node: machine.nodeName,
          netns: path,
          ...(outside === undefined ? {} : { seenOutsideAs: outside }),
          ...(egress === undefined ? {} : { egress }),
        },
      ];
    });
}

/** A pod that runs as far as the API server knows, and is nowhere to be found. */
function lostParty(pod: Pod): Party[] {
  const address = pod.status?.podIP;
  const name = `${pod.metadata.namespace}/${pod.metadata.name}`;
  return address === undefined ? [] : [{ kind: "pod", name, address, node: pod.spec?.nodeName ?? "" }];
}

/** What egress-cni gave the pod, when it did. */
function egressOf(netnsPath: string, machine: LabMachine, wayOut: WayOut): Party["egress"] {
  using ns = Netns.open(netnsPath);
  using rt = Rtnetlink.open(ns);
  for (const family of [4, 6] as const) {
    const interfaceIndex = rt.linkByName(egressDevice[family])?.index;
    if (interfaceIndex === undefined) continue;
    const found = rt.addresses({ family, interfaceIndex }).find(({ address }) => !isLinkLocal(address));
    if (found === undefined) continue;
    const sender = family === 4 ? machine.address : machine.ipv6Address;
    const outside = sender === undefined ? undefined : sourceSeenOutside(wayOut, sender);
    return {
      address: formatAddress(found.address),
      ...(outside === undefined ? {} : { seenOutsideAs: outside }),
    };
  }
  return undefined;
}

/** IPv6 only: the addresses of IPv4 egress are link-local by their numbers. */
function isLinkLocal(address: IpAddress): boolean {
  return typeof address === "bigint" && address >> 118n === 0xfe80n >> 6n;
}

async function usesExternalSnat(kube: KubeClient): Promise<boolean> {
  const awsNode = await kube.get(daemonSets, "aws-node", "kube-system");
  const containers = awsNode.spec.template.spec?.containers ?? [];
  const variable = containers
    .flatMap(({ env = [] }) => env)
    .find(({ name }) => name === "AWS_VPC_K8S_CNI_EXTERNALSNAT");
  return /^(1|t|true)$/i.test(variable?.value ?? "");
}

/** Maps with at most `limit` under way at once, in order. */
async function inParallel<T, R>(
  items: readonly T[],
  limit: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array(items.length);
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) {
      results[index] = await work(items[index] as T);
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, worker));
  return results;
}
