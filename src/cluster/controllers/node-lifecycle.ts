import type { Condition, Lease, Node, Pod, Taint, Toleration } from "../../kube/resources.ts";
import { nodes as nodeResource, pods as podResource } from "../../kube/resources.ts";
import { timestamp } from "../time.ts";
import { toleratesTaint } from "./node-fit.ts";
import { type Plan, sameValue, type Write } from "./plan.ts";
import { conditionOf, isReady } from "./pods.ts";

const prefix = "node.kubernetes.io/";
export const notReadyTaint = `${prefix}not-ready`;
export const unreachableTaint = `${prefix}unreachable`;

/** Conditions of a node and the taints that follow from them, while they have the given status. */
const taintOfCondition: readonly (readonly [type: string, status: Condition["status"], key: string])[] = [
  ["Ready", "False", notReadyTaint],
  ["Ready", "Unknown", unreachableTaint],
  ["MemoryPressure", "True", `${prefix}memory-pressure`],
  ["DiskPressure", "True", `${prefix}disk-pressure`],
  ["PIDPressure", "True", `${prefix}pid-pressure`],
  ["NetworkUnavailable", "True", `${prefix}network-unavailable`],
];
const ownKeys = new Set([...taintOfCondition.map(([, , key]) => key), `${prefix}unschedulable`]);

/** What is known of a node at `now`. */
export interface NodeView {
  readonly node: Node;
  /** Pods bound to it. */
  readonly pods: readonly Pod[];
  /** When its Lease or its status was last seen to change, by our own clock (ms since the epoch). */
  readonly heardAt: number;
  /** A node that was not heard of for longer is unreachable (ms). */
  readonly graceMs: number;
}

/** Conditions and taints of a node that stopped reporting, and the eviction of pods that do not tolerate that. */
export function planNode(view: NodeView, now: number): Plan {
  const { node, pods, heardAt, graceMs } = view;
  if (node.metadata.deletionTimestamp !== undefined) return { writes: [] };
  const writes: Write[] = [];
  const silent = heardAt + graceMs <= now;
  const conditions = silent ? unknownConditions(node, now) : (node.status?.conditions ?? []);
  const ready = conditions.find(({ type }) => type === "Ready");
  if (silent && !sameValue(conditions, node.status?.conditions)) {
    writes.push({
      kind: "patch",
      resource: nodeResource,
      name: node.metadata.name,
      patch: { metadata: { resourceVersion: node.metadata.resourceVersion }, status: { conditions } },
      subresource: "status",
    });
    writes.push(
      event(node, "Normal", "NodeNotReady", `Node ${node.metadata.name} status is now: NodeNotReady`),
    );
  }
  const taints = wantedTaints(node, conditions, now);
  if (!sameValue(taints, node.spec?.taints ?? [])) {
    // No resourceVersion of ours here when the status was just written: the patch above has changed it.
    const metadata = silent ? {} : { resourceVersion: node.metadata.resourceVersion };
    writes.push({
      kind: "patch",
      resource: nodeResource,
      name: node.metadata.name,
      patch: { metadata, spec: { taints: taints.length === 0 ? null : taints } },
    });
  }
  if (ready?.status === "Unknown") writes.push(...pods.filter(isReady).map((pod) => notReadyWrite(pod, now)));
  const evictions = pods
    .filter((pod) => pod.metadata.deletionTimestamp === undefined)
    .map((pod) => ({ pod, at: evictionAt(pod, taints) }));
  for (const { pod, at } of evictions) {
    if (at !== undefined && at <= now) writes.push(...eviction(pod));
  }
  const wakes = evictions.map(({ at }) => at ?? 0).filter((at) => at > now);
  if (!silent) wakes.push(heardAt + graceMs);
  return wakes.length === 0 ? { writes } : { writes, wakeAt: Math.min(...wakes) };
}

/** Conditions that the kubelet speaks for become Unknown. */
function unknownConditions(node: Node, now: number): Condition[] {
  const types = ["MemoryPressure", "DiskPressure", "PIDPressure", "Ready"];
  const before = node.status?.conditions ?? [];
  const others = before.filter(({ type }) => !types.includes(type));
  const unknown = types.map((type): Condition => {
    const was = before.find((condition) => condition.type === type);
    if (was?.status === "Unknown") return was;
    return {
      ...(was?.lastHeartbeatTime !== undefined && { lastHeartbeatTime: was.lastHeartbeatTime }),
      type,
      status: "Unknown",
      reason: was === undefined ? "NodeStatusNeverUpdated" : "NodeStatusUnknown",
      message:
        was === undefined ? "Kubelet never posted node status." : "Kubelet stopped posting node status.",
      lastTransitionTime: timestamp(now),
    };
  });
  return [...others, ...unknown];
}

/** The node's own taints, and ours by its conditions: NoSchedule always, NoExecute for not ready and unreachable. */
function wantedTaints(node: Node, conditions: readonly Condition[], now: number): Taint[] {
  const present = node.spec?.taints ?? [];
  const keep = present.filter(({ key }) => !ownKeys.has(key));
  const add = (key: string, effect: Taint["effect"]): Taint => {
    const known = present.find((taint) => taint.key === key && taint.effect === effect);
    if (known !== undefined && (effect !== "NoExecute" || known.timeAdded !== undefined)) return known;
    return effect === "NoExecute" ? { key, effect, timeAdded: timestamp(now) } : { key, effect };
  };
  const own: Taint[] = [];
  for (const [type, status, key] of taintOfCondition) {
    const condition = conditions.find((each) => each.type === type);
    // A node that has not reported yet is not ready.
    const applies = condition === undefined ? key === notReadyTaint : condition.status === status;
    if (!applies) continue;
    own.push(add(key, "NoSchedule"));
    if (type === "Ready") own.push(add(key, "NoExecute"));
  }
  if (node.spec?.unschedulable === true) own.push(add(`${prefix}unschedulable`, "NoSchedule"));
  return [...keep, ...own];
}

/** When the pod must leave because of NoExecute taints; undefined: never (taint eviction manager). */
export function evictionAt(pod: Pod, taints: readonly Taint[]): number | undefined {
  const tolerations: readonly Toleration[] = pod.spec.tolerations ?? [];
  let earliest: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== "NoExecute") continue;
    const added = Date.parse(taint.timeAdded ?? "1970-01-01T00:00:00Z");
    const matching = tolerations.filter((toleration) => toleratesTaint(toleration, taint));
    const limits = matching
      .map(({ tolerationSeconds }) => tolerationSeconds)
      .filter((limit) => limit !== undefined);
    if (matching.length > 0 && limits.length === 0) continue;
    const at = matching.length === 0 ? added : added + Math.max(0, Math.min(...limits)) * 1000;
    earliest = earliest === undefined ? at : Math.min(earliest, at);
  }
  return earliest;
}

function eviction(pod: Pod): Write[] {
  const { name, namespace = "default", uid } = pod.metadata;
  return [
    event(pod, "Normal", "TaintManagerEviction", `Marking for deletion Pod ${namespace}/${name}`),
    { kind: "delete", resource: podResource, name, namespace, ...(uid !== undefined && { uid }) },
  ];
}

/** Nobody else can say it: the pod's own node is silent. */
function notReadyWrite(pod: Pod, now: number): Write {
  const conditions = (pod.status?.conditions ?? []).map((condition) =>
    condition.type === "Ready"
      ? { ...condition, status: "False", reason: "NodeNotReady", lastTransitionTime: timestamp(now) }
      : condition,
  );
  return {
    kind: "patch",
    resource: podResource,
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "default",
    patch: { metadata: { resourceVersion: pod.metadata.resourceVersion }, status: { conditions } },
    subresource: "status",
  };
}

/** How often the cloud is asked about a node that is not ready (ms). */
const cloudCheckMs = 5_000;

/** A node that is not ready and whose instance is gone from the cloud is gone too (cloud-node-lifecycle-controller). */
export function planCloudNode(node: Node, exists: boolean, now: number): Plan {
  if (conditionOf(node, "Ready")?.status === "True") return { writes: [] };
  if (exists) return { writes: [], wakeAt: now + cloudCheckMs };
  const { name } = node.metadata;
  const message = `Deleting node ${name} because it does not exist in the cloud provider`;
  return {
    writes: [
      { kind: "delete", resource: nodeResource, name },
      event(node, "Normal", "DeletingNode", message),
    ],
  };
}

/** What tells that a node is alive: it changes with every heartbeat. */
export function heartbeatOf(node: Node, lease: Lease | undefined): string {
  return `${lease?.spec?.renewTime ?? ""}/${conditionOf(node, "Ready")?.lastHeartbeatTime ?? ""}`;
}

const event = (about: Node | Pod, type: "Normal" | "Warning", reason: string, message: string): Write => ({
  kind: "event",
  about,
  type,
  reason,
  message,
});
