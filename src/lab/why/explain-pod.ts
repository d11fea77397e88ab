import { type Chain, chainOf, type Link } from "./chain.ts";
import { explainAssigned } from "./explain-assigned.ts";
import { explainNodeNetwork } from "./explain-node-network.ts";
import { explainUnscheduled } from "./explain-unscheduled.ts";
import { refusalLinks, waitedLinks } from "./explain-wait.ts";
import type { NodeSeen, Observation, PodSeen } from "./observation.ts";
import { shortName } from "./words.ts";

/** Pure: why a pod waits, or why it has the address that it has. */
export function explainPod(seen: Observation, pod: PodSeen): Chain {
  const subject = `pod/${pod.namespace}/${pod.name}`;
  const node = seen.nodes.find(({ name }) => name === pod.nodeName);
  if (pod.nodeName === undefined) return chainOf(subject, [], explainUnscheduled(seen, pod));
  const placed: Link[] = [placedLink(pod)];
  if (node === undefined) {
    return chainOf(subject, placed, {
      cause: "node-not-ready",
      summary: `the pod is bound to ${pod.nodeName}, which is no machine of the lab`,
      change: ["Delete the pod, so that its owner makes another"],
    });
  }
  const sandbox = node.sandboxes.find(({ uid }) => uid === pod.uid);
  const ended = pod.phase === "Succeeded" || pod.phase === "Failed";
  if (pod.hostNetwork || pod.ips.length > 0 || ended || sandbox?.phase === "ready") {
    return chainOf(
      subject,
      [...placed, ...waitedLinks(pod, node, sandbox)],
      explainAssigned(seen, pod, node, sandbox),
    );
  }
  const refused = refusalLinks(pod, sandbox === undefined, seen.takenAt);
  const waiting = Math.max(1, waitingOn(seen, node));
  return chainOf(subject, [...placed, ...refused], explainNodeNetwork(seen, node, waiting));
}

/** Pods of a node that have no sandbox that is ready. */
export function waitingOn(seen: Observation, node: NodeSeen): number {
  const ready = new Set(node.sandboxes.flatMap(({ uid, phase }) => (phase === "ready" ? [uid] : [])));
  return seen.pods.filter(
    (pod) =>
      pod.nodeName === node.name &&
      !pod.hostNetwork &&
      !pod.deleting &&
      pod.phase === "Pending" &&
      !ready.has(pod.uid),
  ).length;
}

function placedLink(pod: PodSeen): Link {
  const event = pod.events.find(({ reason }) => reason === "Scheduled");
  return {
    what: `the pod is on ${shortName(pod.nodeName ?? "")}`,
    evidence:
      event === undefined
        ? "spec.nodeName, without an event of the scheduler: it was bound to the node by name"
        : `event Scheduled: ${event.message}`,
    rule:
      event === undefined
        ? "a pod with spec.nodeName passes the scheduler by"
        : "the scheduler counts pods and requests of a node, and knows nothing of addresses",
  };
}
