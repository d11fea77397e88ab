import { type Chain, type ChainEnd, chainOf, type Link } from "./chain.ts";
import { explainAssigned } from "./explain-assigned.ts";
import { explainNodeNetwork } from "./explain-node-network.ts";
import { shortName } from "./explain-pool.ts";
import type { EventSeen, NodeSeen, Observation, PodSeen } from "./observation.ts";

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
  if (pod.hostNetwork || pod.ips.length > 0 || sandbox?.phase === "ready") {
    return chainOf(subject, [...placed, ...waitLinks(pod)], explainAssigned(seen, pod, node, sandbox));
  }
  const refused = refusalLinks(pod, sandbox === undefined);
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

const sandboxFailures = (pod: PodSeen): EventSeen[] =>
  pod.events.filter(({ reason }) => reason === "FailedCreatePodSandBox");

function refusalLinks(pod: PodSeen, noSandbox: boolean): Link[] {
  const failures = sandboxFailures(pod);
  const last = failures.at(-1);
  const rule =
    "the kubelet makes a sandbox, calls the CNI plugin for its network and tries again when it fails";
  if (last === undefined) {
    return [
      {
        what: noSandbox
          ? "the kubelet has made no sandbox for it"
          : "its sandbox waits for the CNI plugin's answer",
        evidence: "the kubelet's notes on the node; no FailedCreatePodSandBox event",
        rule: `${rule}; ipamd lets a pod wait some seconds for an address that may be on its way`,
      },
    ];
  }
  const count = failures.reduce((sum, event) => sum + event.count, 0);
  return [
    {
      what: `the kubelet could not make its sandbox (${count} times)`,
      evidence: `event FailedCreatePodSandBox: ${shorten(last.message)}`,
      rule,
    },
  ];
}

/** For a pod that has its address now: what it waited for before. */
function waitLinks(pod: PodSeen): Link[] {
  const failures = sandboxFailures(pod);
  const [first] = failures;
  const last = failures.at(-1);
  if (first === undefined || last === undefined) return [];
  const count = failures.reduce((sum, event) => sum + event.count, 0);
  const seconds = Math.round((last.lastAt - pod.createdAt) / 1000);
  return [
    {
      what: `it waited: its sandbox failed ${count} times, the last time ${seconds} s after it was created`,
      evidence: `event FailedCreatePodSandBox: ${shorten(last.message)}`,
      rule: "the kubelet tries again after each failure until there is an address",
    },
  ];
}

const shorten = (text: string): string => (text.length > 240 ? `…${text.slice(-240)}` : text);

function explainUnscheduled(seen: Observation, pod: PodSeen): ChainEnd {
  const event = pod.events.findLast(({ reason }) => reason === "FailedScheduling");
  if (event === undefined) {
    return {
      cause: "in-progress",
      summary: "the scheduler has not looked at the pod yet",
      links: [],
      change: ["Ask again in a second"],
    };
  }
  const links: Link[] = [
    {
      what: "no node takes the pod",
      evidence: `event FailedScheduling (${event.count} times): ${event.message}`,
      rule: "the scheduler binds a pod to a node that has room for one more pod and for its requests, and whose taints it tolerates",
    },
  ];
  if (/no nodes available/.test(event.message)) {
    return {
      cause: "no-nodes",
      summary: "the cluster has no node",
      links,
      change: ["Add nodes: raise the node group's count"],
    };
  }
  const notReady = seen.nodes.find(({ ready }) => !ready);
  if (/node\.kubernetes\.io\/not-ready|network-unavailable/.test(event.message) && notReady !== undefined) {
    const end = explainNodeNetwork(seen, notReady, 1);
    return { ...end, links: [...links, ...(end.links ?? [])] };
  }
  if (/Too many pods/.test(event.message))
    return { ...tooManyPods(seen), links: [...links, ...roomLinks(seen)] };
  if (/pod-eni/.test(event.message)) {
    return {
      cause: "branch-eni-limit",
      summary: "no node has a branch ENI left for a pod with its own security groups",
      links,
      change: [
        "Use a type with more branch ENIs (t-family types have none)",
        "Check that ENABLE_POD_ENI=true and that the node's trunk ENI came up",
      ],
    };
  }
  if (/unschedulable/.test(event.message)) {
    return {
      cause: "cordoned",
      summary: `no node takes the pod: ${seen.nodes.filter(({ cordoned }) => cordoned).length} of ${seen.nodes.length} are cordoned`,
      links,
      change: seen.nodes.filter(({ cordoned }) => cordoned).map(({ name }) => `kubectl uncordon ${name}`),
    };
  }
  return {
    cause: "no-node-fits",
    summary: `no node fits the pod: ${event.message}`,
    links,
    change: ["Change what the pod asks for (requests, selectors, tolerations), or add nodes that have it"],
  };
}

const podsOn = (seen: Observation, { name }: NodeSeen): number =>
  seen.pods.filter(({ nodeName, phase }) => nodeName === name && phase !== "Succeeded" && phase !== "Failed")
    .length;

function roomLinks(seen: Observation): Link[] {
  return seen.nodes.map((node) => ({
    what: `${shortName(node.name)} (${node.instanceType}) runs ${podsOn(seen, node)} of at most ${node.maxPods} pods`,
    evidence: `Node ${node.name}, allocatable pods`,
    rule:
      node.limits === undefined
        ? "the kubelet's --max-pods"
        : `the kubelet's --max-pods; by its ENIs ${node.instanceType} has ${node.limits.enis} × (${node.limits.ipv4PerEni} − 1) + 2 = ${node.limits.enis * (node.limits.ipv4PerEni - 1) + 2}`,
    setting: `--max-pods=${node.maxPods}`,
  }));
}

function tooManyPods(seen: Observation): ChainEnd {
  const types = [...new Set(seen.nodes.map(({ instanceType }) => instanceType))].join(", ");
  return {
    cause: "max-pods",
    summary: "every node has as many pods as it may have (max-pods)",
    change: [
      "Add nodes",
      `Use a type with more ENIs and addresses than ${types}: eniverse max-pods --all`,
      ...(seen.awsNodeEnv.ENABLE_PREFIX_DELEGATION === "true"
        ? ["Raise --max-pods: with prefixes the addresses allow more"]
        : ["Use prefixes (ENABLE_PREFIX_DELEGATION=true) and raise --max-pods"]),
    ],
  };
}
