import type { Reason } from "../../ipam/types.ts";
import type { ChainEnd, Link } from "./chain.ts";
import { ec2End } from "./explain-ec2.ts";
import type { Answering, NodeSeen, Observation } from "./observation.ts";
import type { PoolCounts } from "./pool-counts.ts";
import { counted, shortName } from "./words.ts";

/** A note of ipamd's decision core that ends the chain; undefined for one that hinders nothing. */
export function refusalEnd(
  seen: Observation,
  node: NodeSeen,
  note: Reason,
  ipamd: Answering,
  counts: PoolCounts,
): ChainEnd | undefined {
  const name = shortName(node.name);
  switch (note.rule) {
    case "max-eni":
      return eniLimitEnd(node, note, ipamd, counts);
    case "max-pods":
      return {
        cause: "max-pods",
        summary: `${name} holds as many addresses as it may have pods (${node.maxPods})`,
        change: ["Raise the kubelet's --max-pods of the node group", "Run the pod on another node"],
      };
    case "cordoned":
      return {
        cause: "cordoned",
        summary: `${name} is cordoned, so ipamd fetches nothing for it, and the ${counted(counts.total, "address")} it holds are in use`,
        links: [
          {
            what: `${name} carries the taint node.kubernetes.io/unschedulable`,
            evidence: `Node ${node.name}: ${node.taints.join(", ") || "spec.unschedulable"}`,
            rule: "ENIs of a node that takes no new pods are left as they are",
            setting: `AWS_MANAGE_ENIS_NON_SCHEDULABLE=${node.env.AWS_MANAGE_ENIS_NON_SCHEDULABLE ?? "false"}`,
          },
        ],
        change: [
          `kubectl uncordon ${node.name}`,
          "Set AWS_MANAGE_ENIS_NON_SCHEDULABLE=true on aws-node",
          "Let the pod go to another node: it was bound to this one before the cordon, or past the scheduler",
        ],
      };
    case "provisioning-disabled":
      return {
        cause: "provisioning-disabled",
        summary: `ipamd of ${name} was told to ask EC2 for nothing, and the ${counted(counts.total, "address")} that the node was given are in use`,
        change: [
          "Give the node addresses: aws ec2 assign-private-ip-addresses, or attach another ENI; ipamd takes them in within a minute",
          "Let ipamd do it: DISABLE_NETWORK_RESOURCE_PROVISIONING=false and ENABLE_IMDS_ONLY_MODE=false on aws-node",
        ],
      };
    case "terminating":
      return {
        cause: "in-progress",
        summary: `ipamd of ${name} is shutting down; the next one goes on`,
        change: ["Wait for the new aws-node pod"],
      };
    case "insufficient-back-off":
    case "create-back-off":
    case "retry-back-off": {
      const failed = ipamd.decisions.findLast(({ outcome }) => outcome?.kind === "failed");
      return failed === undefined ? undefined : ec2End(seen, node, failed, []);
    }
    default:
      return undefined;
  }
}

function eniLimitEnd(node: NodeSeen, note: Reason, ipamd: Answering, counts: PoolCounts): ChainEnd {
  const name = shortName(node.name);
  const maxEni = Number(node.env.MAX_ENI ?? Number.NaN);
  const { limits } = node;
  // An ipamd that was told so later keeps the ENIs that it has.
  const held = new Set(ipamd.pool.addresses.map(({ eni }) => eni)).size;
  const bySetting = limits !== undefined && maxEni >= 1 && maxEni < limits.enis && held < limits.enis;
  const places = limits === undefined ? "" : `: ${limits.enis} ENIs of ${limits.ipv4PerEni} addresses each`;
  const type: Link = {
    what: `${node.instanceType} takes ${limits === undefined ? "an unknown number of ENIs" : counted(limits.enis, "ENI")}, and one address of each is its own`,
    evidence: `limits of ${node.instanceType}${places}; ipamd has ${held} of the ${note.values.allowed} that it may have`,
    rule: "EC2 attaches no more ENIs to a type than its limit, and each holds so many addresses",
    ...(bySetting ? { setting: `MAX_ENI=${maxEni}` } : {}),
  };
  const single = /\/(32|128)$/;
  const otherMode = ipamd.pool.addresses.filter(
    ({ state, cidr }) => counts.mode === "prefix" && state !== "primary" && single.test(cidr),
  ).length;
  const full =
    otherMode > 0
      ? `${otherMode} of its places are taken by single addresses from before prefix mode`
      : `all ${counted(counts.total, "address")} for pods are in use${counts.cooling > 0 ? ` (${counts.cooling} of them cool down)` : ""}`;
  const larger = [
    ...(otherMode > 0 ? ["Replace the node: new nodes start with prefixes only"] : []),
    ...(counts.mode === "prefix"
      ? []
      : [
          "Use prefixes on new nodes of a Nitro type: ENABLE_PREFIX_DELEGATION=true gives 16 addresses for each one",
        ]),
    "A larger instance type, or more nodes",
    `Set --max-pods to what the node can serve, so that the scheduler goes elsewhere (now ${node.maxPods})`,
  ];
  return bySetting
    ? {
        cause: "max-eni-setting",
        summary: `MAX_ENI=${maxEni} keeps ${name} from another ENI, and ${full}`,
        links: [type],
        change: [`Raise or remove MAX_ENI: ${node.instanceType} may have ${limits.enis}`, ...larger],
      }
    : {
        cause: "eni-limit",
        summary: `${name} has all the ENIs and addresses that ${node.instanceType} can have, and ${full}`,
        links: [type],
        change: larger,
      };
}
