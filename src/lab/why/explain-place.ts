import { cidr4Has, tryParseCidr } from "../../addr/cidr.ts";
import { tryParseIpv4 } from "../../addr/ipv4.ts";
import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import { type Chain, chainOf, type Link } from "./chain.ts";
import { blockLinks, givenLink } from "./explain-assigned.ts";
import { explainNodeNetwork } from "./explain-node-network.ts";
import { waitingOn } from "./explain-pod.ts";
import { decisionLink, poolCounts, poolLink, shortName } from "./explain-pool.ts";
import type { EniSeen, NodeSeen, Observation } from "./observation.ts";

const holds = (block: string, address: string): boolean => {
  if (block === address) return true;
  const cidr = tryParseCidr(block);
  const ip = tryParseIpv4(address);
  return cidr?.family === 4 && ip !== undefined && cidr4Has(cidr, ip);
};

/** Pure: who holds an address of the VPC, since when, and why it is not released; undefined outside of every subnet. */
export function explainAddress(seen: Observation, address: string): Chain | undefined {
  const subject = `address/${address}`;
  const eni = seen.enis.find(({ addresses, prefixes }) =>
    [...addresses, ...prefixes].some((block) => holds(block, address)),
  );
  if (eni === undefined) return freeAddress(seen, subject, address);
  const node = seen.nodes.find(({ instanceId }) => instanceId === eni.instanceId);
  if (node === undefined || eni.addresses[0] === address) {
    const { cause, summary, links, change } = explainEni(seen, eni);
    const own = `${address} is ${eni.addresses[0] === address ? "the primary address" : "an address"} of ${eni.eniId}`;
    return { subject, cause, summary: `${own}: ${summary}`, links, change };
  }
  const pool = node.ipamd.answers ? node.ipamd.pool.addresses : [];
  const entry =
    pool.find((each) => each.address === address) ?? pool.find((each) => holds(each.address, address));
  if (entry === undefined) {
    return chainOf(subject, [], {
      cause: "in-progress",
      summary: `${eni.eniId} of ${shortName(node.name)} holds ${address}, and ipamd's pool ${node.ipamd.answers ? "does not know it yet" : "cannot be asked"}`,
      links: [eniLink(eni)],
      change: ["Ask again after ipamd's next reconcile (every 60 s)"],
    });
  }
  return chainOf(subject, stateLinks(entry, address, node), {
    cause: entry.state === "cooling" ? "cooldown" : "none",
    summary: stateSentence(entry, address, node),
    links: blockLinks(seen, { ...entry, address }, node),
    change: stateChange(entry),
  });
}

function stateSentence(entry: PoolEntry, address: string, node: NodeSeen): string {
  const where = shortName(node.name);
  switch (entry.state) {
    case "assigned":
      return `${address} is held by pod ${entry.pod?.namespace ?? "?"}/${entry.pod?.name ?? "?"} on ${where}${entry.assignedAt === undefined ? "" : ` since ${entry.assignedAt}`}`;
    case "cooling":
      return `${address} was released and cools down on ${where} until ${entry.readyAt ?? "the end of its cool-down"}`;
    case "excluded":
      return `${address} is on ${where} in a subnet that may serve no new pods`;
    default:
      return `${address} is free and kept warm on ${where}`;
  }
}

function stateLinks(entry: PoolEntry, address: string, node: NodeSeen): Link[] {
  if (entry.state === "assigned") return [givenLink(entry, node)];
  return [
    {
      what: `${address} is ${entry.state} in the pool of ${shortName(node.name)}`,
      evidence: `ipamd /v1/pool on ${node.instanceId}`,
      rule:
        entry.state === "cooling"
          ? "a released address is not given out again before its cool-down ends"
          : "ipamd keeps what its warm targets ask for, so that the next pod need not wait for EC2",
    },
  ];
}

function stateChange({ state, pod }: PoolEntry): string[] {
  if (state === "assigned")
    return [
      `It is released when pod ${pod?.name ?? ""} ends; after the cool-down it stays warm or goes back to EC2`,
    ];
  if (state === "cooling") return ["Wait, or lower IP_COOLDOWN_PERIOD on aws-node"];
  return ["Lower WARM_IP_TARGET, MINIMUM_IP_TARGET or WARM_ENI_TARGET to give idle addresses back"];
}

function freeAddress(seen: Observation, subject: string, address: string): Chain | undefined {
  const subnet = seen.subnets.find(({ cidr }) => holds(cidr, address));
  if (subnet === undefined) return undefined;
  return chainOf(subject, [], {
    cause: "none",
    summary: `nobody holds ${address}: it is free in subnet ${subnet.name} (${subnet.cidr}), or one of AWS's five`,
    links: [
      {
        what: `no ENI of ${subnet.name} has ${address}`,
        evidence: "EC2 DescribeNetworkInterfaces",
        rule: "EC2 picks free addresses of a subnet at random; the first four and the last are its own",
      },
    ],
    change: [],
  });
}

function eniLink({ eniId, status, instanceId, deviceIndex, subnetId, addresses, prefixes }: EniSeen): Link {
  const where = instanceId === undefined ? "" : ` to ${instanceId} as device ${deviceIndex ?? "?"}`;
  return {
    what: `${eniId} is ${status}${where}, with ${addresses.length} addresses and ${prefixes.length} prefixes in ${subnetId}`,
    evidence: "EC2 DescribeNetworkInterfaces",
    rule: "an ENI holds its addresses until they are unassigned or it is deleted",
  };
}

/** Pure: who made an ENI, who uses it, why it is not freed. */
export function explainEni(seen: Observation, eni: EniSeen): Chain {
  const subject = `eni/${eni.eniId}`;
  const node = seen.nodes.find(({ instanceId }) => instanceId === eni.instanceId);
  const links = [eniLink(eni), ownerLink(eni)];
  if (node === undefined) {
    const leaked = eni.status === "available" && eni.tags["node.k8s.amazonaws.com/instance_id"] !== undefined;
    return chainOf(subject, links, {
      cause: "none",
      summary: leaked
        ? `${eni.eniId} was left behind by ipamd of ${eni.tags["node.k8s.amazonaws.com/instance_id"]}`
        : `${eni.eniId} is not a node's: ${eni.description || "no description"}`,
      change: leaked
        ? [
            "ipamd of any node of the cluster deletes it within an hour, unless DISABLE_LEAKED_ENI_CLEANUP=true",
          ]
        : ["Whoever made it must free it"],
    });
  }
  const name = shortName(node.name);
  if (eni.deviceIndex === 0) {
    return chainOf(subject, links, {
      cause: "none",
      summary: `${eni.eniId} is the primary ENI of ${name}: it goes when the instance goes`,
      change: [`Terminate ${node.instanceId}`],
    });
  }
  const entries = node.ipamd.answers
    ? node.ipamd.pool.addresses.filter((entry) => entry.eni === eni.eniId)
    : [];
  const pods = entries.flatMap((entry) => (entry.state === "assigned" ? [entry] : []));
  const cooling = entries.filter(({ state }) => state === "cooling").length;
  const use: Link = {
    what: `${pods.length} of its addresses are given to pods, ${cooling} cool down`,
    evidence: `ipamd /v1/pool on ${node.instanceId}${pods.length === 0 ? "" : `: ${pods.map(({ pod }) => pod?.name).join(", ")}`}`,
    rule: "an ENI with a pod on it is never freed",
  };
  const why = node.ipamd.answers ? whyKept(seen, node, eni, pods.length) : [];
  return chainOf(subject, [...links, use, ...why], {
    cause: "none",
    summary:
      pods.length > 0
        ? `${eni.eniId} serves ${pods.length} pods of ${name}`
        : `${eni.eniId} has no pod, and ipamd of ${name} keeps it${why.length === 0 ? " for its warm targets" : ""}`,
    change:
      pods.length > 0
        ? ["It can be freed when its pods have ended and the other ENIs have enough for the warm targets"]
        : [
            "Lower WARM_ENI_TARGET, WARM_IP_TARGET or MINIMUM_IP_TARGET; an ENI goes a minute after it came at the earliest",
          ],
  });
}

function ownerLink({ eniId, tags, description }: EniSeen): Link {
  const owner = tags["node.k8s.amazonaws.com/instance_id"];
  const created = tags["node.k8s.amazonaws.com/createdAt"];
  return {
    what:
      owner === undefined
        ? `${eniId} was not made by ipamd`
        : `ipamd of ${owner} manages it${created === undefined ? "" : `, created at ${created}`}`,
    evidence: `description ${JSON.stringify(description)}, tags ${Object.keys(tags).join(", ") || "none"}`,
    rule: "ipamd marks its ENIs with node.k8s.amazonaws.com/instance_id and leaves those with no_manage=true alone",
  };
}

/** The decisions that brought the ENI, and the last notes that keep it. */
function whyKept(seen: Observation, node: NodeSeen, { eniId }: EniSeen, pods: number): Link[] {
  const decisions = node.ipamd.answers ? node.ipamd.decisions : [];
  const made = decisions.find(({ outcome }) => outcome?.kind === "created" && outcome.eni.id === eniId);
  const last = decisions.findLast(({ kind }) => kind === "not-done");
  return [
    ...(made === undefined ? [] : [decisionLink(seen, made)]),
    ...(last === undefined || pods > 0 ? [] : [decisionLink(seen, last)]),
  ];
}

/** Pure: what a node can give to pods, and what stands in the way. */
export function explainNode(seen: Observation, node: NodeSeen): Chain {
  const subject = `node/${node.name}`;
  const waiting = waitingOn(seen, node);
  const state: Link = {
    what: `${shortName(node.name)} is ${node.ready ? "Ready" : "not Ready"}${node.cordoned ? ", cordoned" : ""}; ${waiting} of its pods wait for a network`,
    evidence: `Node ${node.name}: ${node.readyMessage}`,
    rule: "the kubelet is Ready when the CNI plugin's configuration is there",
  };
  const { ipamd } = node;
  if (!ipamd.answers || waiting > 0)
    return chainOf(subject, [state], explainNodeNetwork(seen, node, Math.max(1, waiting)));
  const { total, assigned, assignable } = poolCounts(ipamd);
  const decided = ipamd.decisions.slice(-3).map((entry) => decisionLink(seen, entry));
  return chainOf(subject, [state, poolLink(node, ipamd), ...decided], {
    cause: node.cordoned ? "cordoned" : "none",
    summary: `${shortName(node.name)} holds ${total} addresses: ${assigned} given, ${assignable} ready for the next pods`,
    change: node.cordoned ? [`kubectl uncordon ${node.name}`] : [],
  });
}
