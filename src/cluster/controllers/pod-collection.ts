import type { Pod } from "../../kube/resources.ts";
import { pods as podResource } from "../../kube/resources.ts";
import { nothing, type Plan, type Write } from "./plan.ts";

/** How long a pod may name a node that is not there before it is taken away (ms). */
export const orphanGraceMs = 5_000;

/**
 * Pods that nobody else will end: those of a node that is gone, and those that were deleted before they got a
 * node. `nodeMissingSince` is when the pod's node was first seen to be missing.
 */
export function planPodCollection(pod: Pod, nodeMissingSince: number | undefined, now: number): Plan {
  const node = pod.spec.nodeName ?? "";
  if (node === "") return pod.metadata.deletionTimestamp === undefined ? nothing : { writes: [removal(pod)] };
  if (nodeMissingSince === undefined) return nothing;
  const at = nodeMissingSince + orphanGraceMs;
  return at <= now ? { writes: [removal(pod)] } : { writes: [], wakeAt: at };
}

function removal(pod: Pod): Write {
  const { name, namespace = "default", uid } = pod.metadata;
  return {
    kind: "delete",
    resource: podResource,
    name,
    namespace,
    gracePeriodSeconds: 0,
    ...(uid !== undefined && { uid }),
  };
}
