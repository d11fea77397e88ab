import type { Condition, Pod, ReplicaSet } from "../../kube/resources.ts";
import { pods as podResource, replicaSets } from "../../kube/resources.ts";
import { type Plan, type PlanContext, statusWrite, type Write } from "./plan.ts";
import {
  availableAt,
  claim,
  conditionOf,
  isActive,
  isAvailable,
  isReady,
  podFromTemplate,
  podOwnersWrite,
} from "./pods.ts";

/** At most this many pods are created or deleted in one pass. */
const burst = 500;

/**
 * Brings the number of a ReplicaSet's pods to the wanted one. `candidates` are the pods of the namespace that it
 * owns or that its selector may adopt.
 */
export function planReplicaSet(set: ReplicaSet, candidates: readonly Pod[], context: PlanContext): Plan {
  const { owned, writes: claims } = claim(set, candidates, podOwnersWrite);
  const active = owned.filter(isActive);
  const writes: Write[] = [...claims];
  const wanted = set.spec.replicas ?? 1;
  if (set.metadata.deletionTimestamp === undefined) {
    if (active.length < wanted) writes.push(...creations(set, wanted - active.length, context));
    if (active.length > wanted) writes.push(...deletions(set, active, active.length - wanted));
  }
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  writes.push(...statusWrite(replicaSets, set, statusOf(set, active, minReadySeconds, context.now)));
  const wakes = active
    .map((pod) => availableAt(pod, minReadySeconds))
    .filter((at) => at !== undefined && at > context.now);
  return wakes.length === 0 ? { writes } : { writes, wakeAt: Math.min(...wakes.map((at) => at ?? 0)) };
}

function creations(set: ReplicaSet, count: number, context: PlanContext): Write[] {
  if (set.spec.template === undefined) return [];
  const writes: Write[] = [];
  for (let index = 0; index < Math.min(count, burst); index++) {
    const pod = podFromTemplate(set, set.spec.template, {}, context);
    writes.push(
      { kind: "create", resource: podResource, object: pod },
      event(set, "SuccessfulCreate", `Created pod: ${pod.metadata.name}`),
    );
  }
  return writes;
}

function deletions(set: ReplicaSet, active: readonly Pod[], count: number): Write[] {
  const perNode = new Map<string, number>();
  for (const pod of active) {
    const node = pod.spec.nodeName ?? "";
    perNode.set(node, (perNode.get(node) ?? 0) + 1);
  }
  return [...active]
    .sort((a, b) => deletionOrder(a, b, perNode))
    .slice(0, Math.min(count, burst))
    .flatMap((pod): Write[] => [
      {
        kind: "delete",
        resource: podResource,
        name: pod.metadata.name,
        namespace: pod.metadata.namespace ?? "default",
        ...(pod.metadata.uid !== undefined && { uid: pod.metadata.uid }),
      },
      event(set, "SuccessfulDelete", `Deleted pod: ${pod.metadata.name}`),
    ]);
}

const phaseRank: Readonly<Record<string, number>> = { Pending: 0, Unknown: 1, Running: 2 };

/** Which pod is missed least goes first (pkg/controller ActivePodsWithRanks). */
function deletionOrder(a: Pod, b: Pod, perNode: ReadonlyMap<string, number>): number {
  const rank = (pod: Pod): readonly number[] => [
    pod.spec.nodeName === undefined ? 0 : 1,
    phaseRank[pod.status?.phase ?? "Pending"] ?? 1,
    isReady(pod) ? 1 : 0,
    Number(pod.metadata.annotations?.["controller.kubernetes.io/pod-deletion-cost"] ?? 0) || 0,
    -(perNode.get(pod.spec.nodeName ?? "") ?? 0),
    -Date.parse(conditionOf(pod, "Ready")?.lastTransitionTime ?? "1970-01-01T00:00:00Z"),
    -Math.max(0, ...(pod.status?.containerStatuses ?? []).map(({ restartCount }) => restartCount)),
    -Date.parse(pod.metadata.creationTimestamp ?? "1970-01-01T00:00:00Z"),
  ];
  const [left, right] = [rank(a), rank(b)];
  for (const [index, value] of left.entries()) {
    const difference = value - (right[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return a.metadata.name < b.metadata.name ? -1 : 1;
}

function statusOf(
  set: ReplicaSet,
  active: readonly Pod[],
  minReadySeconds: number,
  now: number,
): NonNullable<ReplicaSet["status"]> {
  const labels = Object.entries(set.spec.template?.metadata?.labels ?? {});
  const conditions: Condition[] | undefined = set.status?.conditions;
  return {
    replicas: active.length,
    fullyLabeledReplicas: active.filter((pod) =>
      labels.every(([key, value]) => pod.metadata.labels?.[key] === value),
    ).length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: active.filter((pod) => isAvailable(pod, minReadySeconds, now)).length,
    observedGeneration: set.metadata.generation ?? 0,
    ...(conditions !== undefined && { conditions }),
  };
}

const event = (about: ReplicaSet, reason: string, message: string): Write => ({
  kind: "event",
  about,
  type: "Normal",
  reason,
  message,
});
