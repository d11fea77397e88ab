import type { PoolEntry } from "../../node/ipamd/pool-page.ts";
import { type Chain, type ChainEnd, chainOf, type Link } from "./chain.ts";
import { decisionLink, ruleOf } from "./decisions.ts";
import type { Answering, EniSeen, NodeSeen, Observation } from "./observation.ts";
import { poolCounts } from "./pool-counts.ts";
import { warmTargets } from "./warm-targets.ts";
import { counted, shortName } from "./words.ts";

const noManage = "node.k8s.amazonaws.com/no_manage";

export function eniLink({
  eniId,
  status,
  instanceId,
  deviceIndex,
  subnetId,
  addresses,
  prefixes,
}: EniSeen): Link {
  const where =
    instanceId === undefined ? status : `attached to ${instanceId} as device ${deviceIndex ?? "?"}`;
  return {
    what: `${eniId} is ${where}, with ${counted(addresses.length, "address")} and ${counted(prefixes.length, "prefix")} in ${subnetId}`,
    evidence: "EC2 DescribeNetworkInterfaces",
    rule: "an ENI holds its addresses until they are unassigned or it is deleted",
  };
}

/** Whose an ENI is that is on no node, by the description that AWS's services write. */
function ownerOf({ description, requester }: EniSeen): string {
  if (/^Amazon EKS /.test(description))
    return `EKS reaches the VPC from the control plane through it (${description})`;
  if (/^Interface for NAT Gateway/.test(description)) return `a NAT gateway uses it (${description})`;
  return `${description || "it has no description"}${requester === undefined ? "" : `, made by ${requester}`}`;
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
        : `${eni.eniId} is not a node's: ${ownerOf(eni)}`,
      change: leaked
        ? [
            "ipamd of any node of the cluster deletes it within an hour, unless DISABLE_LEAKED_ENI_CLEANUP=true",
          ]
        : ["It goes with what it was made for; else whoever made it must free it"],
    });
  }
  const name = shortName(node.name);
  if (eni.deviceIndex === 0) {
    return chainOf(subject, links, {
      cause: "none",
      summary: `${eni.eniId} is the primary ENI of ${name}: it goes when the instance goes`,
      ...(node.ipamd.answers ? { links: [useLink(node, entriesOf(node.ipamd, eni))] } : {}),
      change: [`Terminate ${node.instanceId}`],
    });
  }
  if (eni.tags[noManage] === "true") {
    return chainOf(subject, links, {
      cause: "none",
      summary: `${eni.eniId} is attached to ${name} and is not ipamd's: it serves no pods`,
      change: [`Whoever tagged it ${noManage}=true must free it`],
    });
  }
  if (!node.ipamd.answers) {
    return chainOf(subject, links, {
      cause: "ipamd-down",
      summary: `${eni.eniId} is attached to ${name}; what it is used for only ipamd knows, and that does not answer: ${node.ipamd.why}`,
      change: [`See why node/${name}`],
    });
  }
  return chainOf(subject, links, podEniEnd(node, node.ipamd, eni));
}

function podEniEnd(node: NodeSeen, ipamd: Answering, { eniId }: EniSeen): ChainEnd {
  const name = shortName(node.name);
  const entries = entriesOf(ipamd, { eniId });
  const pods = entries.filter(({ state }) => state === "assigned");
  const cooling = entries.filter(({ state }) => state === "cooling").length;
  const use = useLink(node, entries);
  const made = ipamd.decisions.find(({ outcome }) => outcome?.kind === "created" && outcome.eni.id === eniId);
  const came = made === undefined ? [] : [decisionLink(node, made)];
  if (pods.length > 0) {
    return {
      cause: "none",
      summary: `${eniId} serves ${counted(pods.length, "pod")} of ${name}`,
      links: [...came, use],
      change: [
        "It can be freed when its pods have ended and the other ENIs have enough for the warm targets",
      ],
    };
  }
  const last = ipamd.decisions.findLast(({ kind }) => kind === "not-done");
  const { mode } = poolCounts(ipamd);
  const kept: Link = {
    what: `ipamd of ${name} keeps it`,
    evidence:
      last === undefined
        ? `settings of aws-node on ${name}`
        : `ipamd /v1/decisions, ${last.time}: ${ruleOf(node, last.reason).rule}`,
    rule: "an ENI without pods is freed when the others have what the warm targets ask for, a minute after it came at the earliest",
    setting: warmTargets(node, mode),
  };
  return {
    cause: "none",
    summary: `${eniId} has no pod, and ipamd of ${name} keeps it: ${cooling > 0 ? `${counted(cooling, "address")} ${cooling === 1 ? "cools" : "cool"} down` : warmTargets(node, mode)}`,
    links: [...came, use, kept],
    change: ["Lower WARM_ENI_TARGET, WARM_IP_TARGET or MINIMUM_IP_TARGET"],
  };
}

const entriesOf = ({ pool }: Answering, { eniId }: Pick<EniSeen, "eniId">): PoolEntry[] =>
  pool.addresses.filter((entry) => entry.eni === eniId);

function useLink({ instanceId }: NodeSeen, entries: readonly PoolEntry[]): Link {
  const pods = entries.filter(({ state }) => state === "assigned");
  const cooling = entries.filter(({ state }) => state === "cooling").length;
  const names = pods.map(({ pod }) => `${pod?.namespace}/${pod?.name}`).join(", ");
  return {
    what: `${counted(pods.length, "pod")} ${pods.length === 1 ? "has" : "have"} addresses of it, and ${cooling} cool down`,
    evidence: `ipamd /v1/pool on ${instanceId}${pods.length === 0 ? "" : `: ${names}`}`,
    rule: "an ENI is freed only when no pod has an address of it and none of its addresses cools down",
  };
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
