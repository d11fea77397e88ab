import { type Chain, chainOf, type Link } from "./chain.ts";
import { decisionLink } from "./decisions.ts";
import { explainNodeNetwork } from "./explain-node-network.ts";
import { waitingOn } from "./explain-pod.ts";
import { poolLink } from "./explain-pool.ts";
import type { NodeSeen, Observation } from "./observation.ts";
import { poolCounts } from "./pool-counts.ts";
import { counted, shortName } from "./words.ts";

/** Pure: what a node can give to pods, and what stands in the way. */
export function explainNode(seen: Observation, node: NodeSeen): Chain {
  const subject = `node/${node.name}`;
  const waiting = waitingOn(seen, node);
  const state: Link = {
    what: `${shortName(node.name)} is ${node.ready ? "Ready" : "not Ready"}${node.cordoned ? ", cordoned" : ""}; ${waiting === 0 ? "none of its pods waits" : `${counted(waiting, "pod")} there ${waiting === 1 ? "waits" : "wait"}`} for a network`,
    evidence: `Node ${node.name}: ${node.readyMessage}`,
    rule: "a node is Ready while its kubelet reports and the CNI plugin's configuration is there",
  };
  const { ipamd } = node;
  if (!ipamd.answers || waiting > 0)
    return chainOf(subject, [state], explainNodeNetwork(seen, node, Math.max(1, waiting)));
  const { total, assigned, assignable, prefixes, mode } = poolCounts(ipamd);
  const held =
    mode === "ipv6"
      ? `${counted(prefixes, "IPv6 prefix")}: ${counted(assigned, "address")} given to pods`
      : `${counted(total, "address")}: ${assigned} given, ${assignable} ready for the next pods`;
  const decided = ipamd.decisions.slice(-3).map((entry) => decisionLink(node, entry));
  return chainOf(subject, [state, poolLink(node, ipamd), ...decided], {
    cause: node.cordoned ? "cordoned" : "none",
    summary: `${shortName(node.name)} holds ${held}`,
    change: node.cordoned ? [`kubectl uncordon ${node.name}`] : [],
  });
}
