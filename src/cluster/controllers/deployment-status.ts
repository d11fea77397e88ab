import type { Condition, Deployment, DeploymentStatus, ReplicaSet } from "../../kube/resources.ts";
import { timestamp } from "../time.ts";
import { rollingLimits, wantedReplicas } from "./deployment.ts";
import { conditionOf } from "./pods.ts";

/** The counts and conditions that `kubectl rollout status deployment` reads. */
export function deploymentStatus(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
  now: number,
): DeploymentStatus {
  const all = [...old, ...(current === undefined ? [] : [current])];
  const total = (count: (set: ReplicaSet) => number | undefined): number =>
    all.reduce((sum, set) => sum + (count(set) ?? 0), 0);
  const availableReplicas = total((set) => set.status?.availableReplicas);
  const counts = {
    replicas: total((set) => set.status?.replicas),
    updatedReplicas: current?.status?.replicas ?? 0,
    readyReplicas: total((set) => set.status?.readyReplicas),
    availableReplicas,
    unavailableReplicas: Math.max(0, total((set) => set.spec.replicas) - availableReplicas),
  };
  return {
    observedGeneration: deployment.metadata.generation ?? 0,
    ...counts,
    ...(deployment.status?.collisionCount !== undefined && {
      collisionCount: deployment.status.collisionCount,
    }),
    conditions: [
      availability(deployment, availableReplicas, now),
      progress(deployment, current, counts, now),
    ],
  };
}

/** When the rollout counts as stuck if nothing moves until then (ms since the epoch). */
export function progressDeadlineAt(
  deployment: Deployment,
  status: DeploymentStatus,
  now: number,
): number | undefined {
  const progressing = conditionOf({ status }, "Progressing");
  if (progressing?.status !== "True" || progressing.reason === "NewReplicaSetAvailable") return undefined;
  if (deployment.spec.paused === true) return undefined;
  const deadline = Date.parse(progressing.lastUpdateTime ?? "") + deadlineMs(deployment);
  return deadline > now ? deadline : undefined;
}

const deadlineMs = (deployment: Deployment): number =>
  (deployment.spec.progressDeadlineSeconds ?? 600) * 1000;

function availability(deployment: Deployment, available: number, now: number): Condition {
  const enough = available >= wantedReplicas(deployment) - rollingLimits(deployment).unavailable;
  return renewed(deployment, now, {
    type: "Available",
    status: enough ? "True" : "False",
    reason: enough ? "MinimumReplicasAvailable" : "MinimumReplicasUnavailable",
    message: `Deployment ${enough ? "has" : "does not have"} minimum availability.`,
  });
}

function progress(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  counts: Required<
    Pick<DeploymentStatus, "replicas" | "updatedReplicas" | "readyReplicas" | "availableReplicas">
  >,
  now: number,
): Condition {
  const before = conditionOf(deployment, "Progressing");
  if (current === undefined) {
    return before ?? renewed(deployment, now, created(deployment.metadata.name));
  }
  const set = current.metadata.name;
  const wanted = wantedReplicas(deployment);
  const complete =
    counts.updatedReplicas === wanted && counts.replicas === wanted && counts.availableReplicas >= wanted;
  if (complete) {
    return renewed(deployment, now, {
      type: "Progressing",
      status: "True",
      reason: "NewReplicaSetAvailable",
      message: `ReplicaSet "${set}" has successfully progressed.`,
    });
  }
  const status = deployment.status;
  const moved =
    counts.updatedReplicas !== (status?.updatedReplicas ?? 0) ||
    counts.readyReplicas > (status?.readyReplicas ?? 0) ||
    counts.availableReplicas > (status?.availableReplicas ?? 0) ||
    counts.replicas < (status?.replicas ?? 0) ||
    !(before?.message ?? "").includes(`"${set}"`);
  const moving: Condition = {
    type: "Progressing",
    status: "True",
    reason: "ReplicaSetUpdated",
    message: `ReplicaSet "${set}" is progressing.`,
  };
  if (before === undefined) return renewed(deployment, now, created(set));
  if (moved || deployment.spec.paused === true)
    return { ...renewed(deployment, now, moving), lastUpdateTime: timestamp(now) };
  const stuck =
    before.reason !== "NewReplicaSetAvailable" &&
    Date.parse(before.lastUpdateTime ?? "") + deadlineMs(deployment) <= now;
  if (!stuck) return before;
  return renewed(deployment, now, {
    type: "Progressing",
    status: "False",
    reason: "ProgressDeadlineExceeded",
    message: `ReplicaSet "${set}" has timed out progressing.`,
  });
}

const created = (set: string): Condition => ({
  type: "Progressing",
  status: "True",
  reason: "NewReplicaSetCreated",
  message: `Created new replica set "${set}"`,
});

/** Keeps the times of a condition that says the same as before. */
function renewed(deployment: Deployment, now: number, condition: Condition): Condition {
  const before = conditionOf(deployment, condition.type);
  const same =
    before?.status === condition.status &&
    before.reason === condition.reason &&
    before.message === condition.message;
  if (same) return before;
  const transition = before?.status === condition.status ? before.lastTransitionTime : undefined;
  return {
    ...condition,
    lastTransitionTime: transition ?? timestamp(now),
    lastUpdateTime: timestamp(now),
  };
}
