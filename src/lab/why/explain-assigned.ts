import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import type { ChainEnd, Link } from "./chain.ts";
import { describeAction, ruleOf } from "./decisions.ts";
import type { NodeSeen, Observation, PodSeen, SandboxSeen } from "./observation.ts";
import { shortName } from "./words.ts";

/** Why a pod has the address that it has; ends at its containers when these are what it waits for. */
export function explainAssigned(
  seen: Observation,
  pod: PodSeen,
  node: NodeSeen,
  sandbox: SandboxSeen | undefined,
): ChainEnd {
  const links = pod.hostNetwork ? [hostLink(pod, node)] : addressLinks(seen, pod, node, sandbox);
  const address = pod.hostNetwork ? node.address : (pod.ips[0] ?? sandbox?.ips[0] ?? "no address");
  const ended = pod.phase === "Succeeded" || pod.phase === "Failed";
  if (!pod.ready && !ended && pod.containers.length > 0) {
    return {
      cause: "containers",
      summary: `the pod has its address (${address}); what it waits for are its containers`,
      links: [
        ...links,
        {
          what: `containers: ${pod.containers.join("; ")}`,
          evidence: `status of the pod, ${pod.restarts} restarts`,
          rule: "a pod is Ready when all its containers run and their probes succeed",
        },
      ],
      change: [`See kubectl describe pod ${pod.name} -n ${pod.namespace} and its logs`],
    };
  }
  return {
    cause: "none",
    summary: ended
      ? `the pod has ended (${pod.phase}); it had ${address}`
      : `the pod has ${address} on ${shortName(node.name)}${pod.ready ? "" : " and is not Ready yet"}`,
    links,
    change: [],
  };
}

function hostLink(pod: PodSeen, node: NodeSeen): Link {
  return {
    what: `it uses the node's own address ${node.address}`,
    evidence: `spec.hostNetwork of pod ${pod.name}`,
    rule: "a pod of the host network needs no address of the pool",
  };
}

/** What the pool has given to a pod's sandbox. */
export function entryOf(
  pod: PodSeen,
  node: NodeSeen,
  sandbox: SandboxSeen | undefined,
): PoolEntry | undefined {
  const entries = node.ipamd.answers ? node.ipamd.pool.addresses : [];
  return entries.find(
    ({ state, containerId, pod: holder }) =>
      state === "assigned" &&
      (sandbox?.id === undefined
        ? holder?.name === pod.name && holder.namespace === pod.namespace
        : containerId === sandbox.id),
  );
}

function addressLinks(
  seen: Observation,
  pod: PodSeen,
  node: NodeSeen,
  sandbox: SandboxSeen | undefined,
): Link[] {
  const entry = entryOf(pod, node, sandbox);
  if (entry === undefined) {
    return [
      {
        what: `its address is ${pod.ips.join(", ") || "not known"}`,
        evidence: node.ipamd.answers
          ? "status of the pod; ipamd's pool has no such assignment"
          : `status of the pod; ipamd cannot be asked: ${node.ipamd.why}`,
        rule: "the kubelet writes what the CNI plugin answered",
      },
    ];
  }
  return [givenLink(entry, node), ...blockLinks(seen, entry, node)];
}

export function givenLink(entry: PoolEntry, node: NodeSeen): Link {
  return {
    what: `ipamd gave it ${entry.address}${entry.assignedAt === undefined ? "" : ` at ${entry.assignedAt}`}`,
    evidence: `ipamd /v1/pool on ${shortName(node.name)} (${node.instanceId})`,
    rule: "any ready address of the pool, chosen at random; it is the pod's until its sandbox is gone",
  };
}

function sourceOf(isPrefix: boolean, isIpv6: boolean): Pick<Link, "rule" | "setting"> {
  if (isIpv6)
    return {
      rule: "in an IPv6 cluster the primary ENI gets a /80, enough for any pods",
      setting: "ENABLE_IPv6=true",
    };
  if (!isPrefix) return { rule: "EC2 assigns single addresses to an ENI and ipamd hands them out" };
  return {
    rule: "with prefixes, EC2 assigns /28 blocks to an ENI and ipamd hands their addresses out",
    setting: "ENABLE_PREFIX_DELEGATION=true",
  };
}

/** Where an address of the pool is from: its ENI, its subnet, and the decision that fetched it. */
export function blockLinks(seen: Observation, entry: PoolEntry, node: NodeSeen): Link[] {
  const eni = seen.enis.find(({ eniId }) => eniId === entry.eni);
  const subnet = seen.subnets.find(({ subnetId }) => subnetId === eni?.subnetId);
  const isIpv6 = entry.cidr.includes(":");
  const isPrefix = !entry.cidr.endsWith("/32") && !entry.cidr.endsWith("/128");
  const block = isIpv6 ? subnet?.ipv6Cidr : subnet?.cidr;
  const device =
    entry.deviceNumber === 0 && entry.card === 0 ? "the primary ENI" : `device ${entry.deviceNumber}`;
  const place: Link = {
    what: `${entry.address} is ${isPrefix ? `from the prefix ${entry.cidr}` : "a secondary address"} of ${entry.eni} (${device})${subnet === undefined ? "" : ` in subnet ${subnet.name}, ${block}`}`,
    evidence: "ipamd /v1/pool, EC2 DescribeNetworkInterfaces",
    ...sourceOf(isPrefix, isIpv6),
  };
  const decisions = node.ipamd.answers ? node.ipamd.decisions : [];
  const source = decisions.find(({ outcome }) => {
    if (outcome?.kind !== "assigned" && outcome?.kind !== "created") return false;
    const blocks = [...outcome.addresses, ...outcome.prefixes];
    return blocks.includes(entry.address) || blocks.includes(entry.cidr);
  });
  if (source === undefined) return [place];
  return [
    place,
    {
      what: `EC2 gave it when ipamd decided to ${describeAction(source.action)}`,
      evidence: `ipamd /v1/decisions, ${source.time}, took ${source.tookMs ?? "?"} ms`,
      ...ruleOf(node, source.reason),
    },
  ];
}
