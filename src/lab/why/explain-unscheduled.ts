import type { ChainEnd, Link } from "./chain.ts";
import { explainNodeNetwork } from "./explain-node-network.ts";
import type { NodeSeen, Observation, PodSeen } from "./observation.ts";
import { shortName } from "./words.ts";

/** Why no node takes a pod: from the scheduler's words to what the nodes have. */
export function explainUnscheduled(seen: Observation, pod: PodSeen): ChainEnd {
  const event = pod.events.findLast(({ reason }) => reason === "FailedScheduling");
  if (event === undefined) {
    return {
      cause: "in-progress",
      summary: "the scheduler has not looked at the pod yet",
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
  const end = endFor(seen, event.message);
  return { ...end, links: [...links, ...(end.links ?? [])] };
}

/** Of several reasons, the one that the network has a part in. */
function endFor(seen: Observation, message: string): ChainEnd {
  if (/no nodes available/.test(message)) return noNodes(seen);
  const notReady = seen.nodes.find(({ ready }) => !ready);
  if (/node\.kubernetes\.io\/(not-ready|unreachable|network-unavailable)/.test(message)) {
    if (notReady !== undefined) return explainNodeNetwork(seen, notReady, 1);
  }
  if (/Too many pods/.test(message)) return tooManyPods(seen, message);
  if (/vpc\.amazonaws\.com\/pod-eni/.test(message)) return noBranchEni(seen);
  if (/were unschedulable/.test(message)) return allCordoned(seen);
  return {
    cause: "no-node-fits",
    summary: `no node fits the pod: ${message}`,
    change: ["Change what the pod asks for (requests, selectors, tolerations), or add nodes that have it"],
  };
}

function noNodes({ nodes }: Observation): ChainEnd {
  const running = nodes.map(({ instanceId }) => instanceId);
  return {
    cause: "no-nodes",
    summary: "the cluster has no node",
    links: [
      {
        what:
          running.length === 0
            ? "no instance runs"
            : `${running.length} instances run and none is registered: ${running.join(", ")}`,
        evidence: "machines of the lab, Nodes of the API server",
        rule: "a kubelet registers its node when it starts, and not again when somebody deletes the Node",
      },
    ],
    change: [
      "Add nodes: raise the node group's count",
      ...running.map((id) => `Let ${id} register again: eniverse break node ${id} --reboot`),
    ],
  };
}

function allCordoned({ nodes }: Observation): ChainEnd {
  const cordoned = nodes.filter(({ cordoned: isCordoned }) => isCordoned);
  const others = cordoned.length < nodes.length ? ", and the others do not fit the pod" : "";
  return {
    cause: "cordoned",
    summary: `no node takes the pod: ${cordoned.length} of ${nodes.length} are cordoned${others}`,
    links: cordoned.map((node) => ({
      what: `${shortName(node.name)} is cordoned`,
      evidence: `Node ${node.name}: ${node.taints.join(", ") || "spec.unschedulable"}`,
      rule: "the scheduler passes nodes by that carry the taint node.kubernetes.io/unschedulable",
    })),
    change: cordoned.map(({ name }) => `kubectl uncordon ${name}`),
  };
}

function noBranchEni({ nodes }: Observation): ChainEnd {
  const offering = nodes.filter(({ branchEnis }) => branchEnis > 0);
  return {
    cause: "branch-eni-limit",
    summary:
      offering.length === 0
        ? "no node offers branch ENIs, which a pod with security groups of its own needs"
        : `all branch ENIs are taken: ${offering.map(({ name, branchEnis }) => `${branchEnis} on ${shortName(name)}`).join(", ")}`,
    links: nodes.map((node) => ({
      what: `${shortName(node.name)} (${node.instanceType}) offers ${node.branchEnis} branch ENIs`,
      evidence: `Node ${node.name}, allocatable vpc.amazonaws.com/pod-eni`,
      rule: "the VPC resource controller offers a type's branch ENIs once the node has a trunk ENI",
      setting: `ENABLE_POD_ENI=${node.env.ENABLE_POD_ENI ?? "false"}`,
    })),
    change: [
      ...(offering.length === 0
        ? [
            "Set ENABLE_POD_ENI=true on aws-node, and see that the node gets a trunk ENI",
            "Use a type that can have a trunk ENI: t-family types have none",
          ]
        : ["Add nodes, or use a type with more branch ENIs"]),
      "Take the pod out of its SecurityGroupPolicy: it then has the node's security groups",
    ],
  };
}

const podsOn = (seen: Observation, { name }: NodeSeen): number =>
  seen.pods.filter(({ nodeName, phase }) => nodeName === name && phase !== "Succeeded" && phase !== "Failed")
    .length;

function tooManyPods(seen: Observation, message: string): ChainEnd {
  const atLimit = seen.nodes.filter((node) => podsOn(seen, node) >= node.maxPods);
  // A pod may have ended since the scheduler looked.
  const full = atLimit.length > 0 ? atLimit : seen.nodes;
  const types = [...new Set(full.map(({ instanceType }) => instanceType))].join(", ");
  const isOnlyReason = !message.includes(", ");
  return {
    cause: "max-pods",
    summary: isOnlyReason
      ? "every node has as many pods as it may have (max-pods)"
      : `the nodes that the pod may go to have as many pods as they may have (max-pods): ${full.map(({ name }) => shortName(name)).join(", ")}`,
    links: full.map((node) => roomLink(seen, node)),
    change: [
      "Add nodes",
      `Use a type with more ENIs and addresses than ${types}: eniverse max-pods --all`,
      full.some(({ env }) => env.ENABLE_PREFIX_DELEGATION === "true")
        ? "Raise --max-pods: with prefixes the addresses allow more"
        : "Use prefixes (ENABLE_PREFIX_DELEGATION=true) and raise --max-pods",
    ],
  };
}

function roomLink(seen: Observation, node: NodeSeen): Link {
  const { limits, instanceType, maxPods } = node;
  return {
    what: `${shortName(node.name)} (${instanceType}) runs ${podsOn(seen, node)} of at most ${maxPods} pods`,
    evidence: `Node ${node.name}, allocatable pods`,
    rule:
      limits === undefined
        ? "the kubelet's --max-pods"
        : `the kubelet's --max-pods; by its ENIs ${instanceType} has ${limits.enis} × (${limits.ipv4PerEni} − 1) + 2 = ${limits.enis * (limits.ipv4PerEni - 1) + 2}`,
    setting: `--max-pods=${maxPods}`,
  };
}
