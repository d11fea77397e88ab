import type { Deployment, ReplicaSet } from "../../kube/resources.ts";
import { deployments, replicaSets } from "../../kube/resources.ts";
import { deploymentStatus, progressDeadlineAt } from "./deployment-status.ts";
import { type Plan, type PlanContext, sameValue, statusWrite, type Write } from "./plan.ts";
import { claim, countOf, ownerReference, templateHash } from "./pods.ts";

/** Labels and annotations of kubectl's and the dashboards' trade. */
export const hashLabel = "pod-template-hash";
export const revisionAnnotation = "deployment.kubernetes.io/revision";
const desiredAnnotation = "deployment.kubernetes.io/desired-replicas";
const maxAnnotation = "deployment.kubernetes.io/max-replicas";

/**
 * One step of a Deployment's rollout: the ReplicaSet of the present template and the sizes of it and of its
 * predecessors. `candidates` are the namespace's ReplicaSets that it owns or may adopt; `podsLeft` says how many
 * pods, finished ones apart, a ReplicaSet still has, so that Recreate waits until the old ones are gone.
 */
export function planDeployment(
  deployment: Deployment,
  candidates: readonly ReplicaSet[],
  podsLeft: (set: ReplicaSet) => number,
  context: PlanContext,
): Plan {
  const { owned, writes: claims } = claim(deployment, candidates, (set, ownerReferences) => ({
    kind: "patch",
    resource: replicaSets,
    name: set.metadata.name,
    namespace: set.metadata.namespace ?? "default",
    patch: { metadata: { resourceVersion: set.metadata.resourceVersion, ownerReferences } },
  }));
  const live = owned.filter((set) => set.metadata.deletionTimestamp === undefined);
  const hash = templateHash(deployment.spec.template, deployment.status?.collisionCount);
  const current = live.find((set) => set.metadata.labels?.[hashLabel] === hash);
  const old = live.filter((set) => set !== current).sort(byRevision);
  const rollout: Rollout = { deployment, current, old, podsLeft, context };
  const writes: Write[] = [...claims];
  if (deployment.metadata.deletionTimestamp === undefined) {
    if (deployment.spec.paused === true) writes.push(...pausedScaling(rollout));
    else {
      const revision = String(1 + Math.max(0, ...old.map(revisionOf)));
      writes.push(...revisionWrites(rollout, revision));
      if (current === undefined) writes.push(...creation(rollout, hash, revision));
      writes.push(...scaling(rollout));
      writes.push(...forgotten(rollout));
    }
  }
  const status = deploymentStatus(deployment, current, old, context.now);
  writes.push(...statusWrite(deployments, deployment, status));
  const wakeAt = progressDeadlineAt(deployment, status, context.now);
  return wakeAt === undefined ? { writes } : { writes, wakeAt };
}

interface Rollout {
  readonly deployment: Deployment;
  readonly current: ReplicaSet | undefined;
  /** By revision, the oldest first. */
  readonly old: readonly ReplicaSet[];
  readonly podsLeft: (set: ReplicaSet) => number;
  readonly context: PlanContext;
}

export const revisionOf = (set: ReplicaSet): number =>
  Number(set.metadata.annotations?.[revisionAnnotation] ?? 0) || 0;
const byRevision = (a: ReplicaSet, b: ReplicaSet): number => revisionOf(a) - revisionOf(b);
const sizeOf = (set: ReplicaSet | undefined): number => set?.spec.replicas ?? (set === undefined ? 0 : 1);
const available = (set: ReplicaSet | undefined): number => set?.status?.availableReplicas ?? 0;
const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
export const wantedReplicas = (deployment: Deployment): number => deployment.spec.replicas ?? 1;

/** How far a rolling update may go over and under the wanted number; both zero means one under. */
export function rollingLimits(deployment: Deployment): {
  readonly surge: number;
  readonly unavailable: number;
} {
  const wanted = wantedReplicas(deployment);
  const rolling = deployment.spec.strategy?.rollingUpdate;
  if (deployment.spec.strategy?.type === "Recreate") return { surge: 0, unavailable: wanted };
  const surge = countOf(rolling?.maxSurge ?? "25%", wanted, "up");
  const unavailable = Math.min(countOf(rolling?.maxUnavailable ?? "25%", wanted, "down"), wanted);
  return surge === 0 && unavailable === 0 ? { surge, unavailable: 1 } : { surge, unavailable };
}

/** The newest revision belongs to the present template; going back to an old template makes it the newest. */
function revisionWrites({ deployment, current }: Rollout, revision: string): Write[] {
  const writes: Write[] = [];
  if (current !== undefined && revisionOf(current) < Number(revision)) {
    writes.push(annotate(replicaSets, current, { [revisionAnnotation]: revision }));
  }
  const shown = current === undefined ? revision : String(Math.max(revisionOf(current), Number(revision)));
  if (deployment.metadata.annotations?.[revisionAnnotation] !== shown) {
    writes.push(annotate(deployments, deployment, { [revisionAnnotation]: shown }));
  }
  return writes;
}

function annotate(
  resource: typeof deployments | typeof replicaSets,
  object: Deployment | ReplicaSet,
  annotations: Record<string, string>,
): Write {
  const { name, namespace = "default" } = object.metadata;
  return { kind: "patch", resource, name, namespace, patch: { metadata: { annotations } } };
}

function creation({ deployment, old, context }: Rollout, hash: string, revision: string): Write[] {
  const { surge } = rollingLimits(deployment);
  const wanted = wantedReplicas(deployment);
  const replicas = newSize(deployment, undefined, old);
  const template = structuredClone(deployment.spec.template);
  const labels = { ...template.metadata?.labels, [hashLabel]: hash };
  const { selector } = deployment.spec;
  const set: ReplicaSet = {
    apiVersion: "apps/v1",
    kind: "ReplicaSet",
    metadata: {
      name: `${deployment.metadata.name}-${hash}`,
      namespace: deployment.metadata.namespace ?? "default",
      labels,
      annotations: {
        ...inheritedAnnotations(deployment),
        [revisionAnnotation]: revision,
        [desiredAnnotation]: String(wanted),
        [maxAnnotation]: String(wanted + surge),
      },
      ownerReferences: [ownerReference(deployment)],
    },
    spec: {
      replicas,
      selector: { ...selector, matchLabels: { ...selector.matchLabels, [hashLabel]: hash } },
      template: { ...template, metadata: { ...template.metadata, labels } },
      minReadySeconds: deployment.spec.minReadySeconds ?? 0,
    },
  };
  return [
    { kind: "create", resource: replicaSets, object: set },
    ...(replicas === 0 ? [] : [scaled(deployment, "up", set.metadata.name, 0, replicas, context)]),
  ];
}

function inheritedAnnotations(deployment: Deployment): Record<string, string> {
  const { [revisionAnnotation]: _own, ...rest } = deployment.metadata.annotations ?? {};
  delete rest["kubectl.kubernetes.io/last-applied-configuration"];
  return rest;
}

/** How many pods the present template may have now. */
function newSize(
  deployment: Deployment,
  current: ReplicaSet | undefined,
  old: readonly ReplicaSet[],
): number {
  const wanted = wantedReplicas(deployment);
  if (deployment.spec.strategy?.type === "Recreate") {
    return sum(old.map(sizeOf)) > 0 ? sizeOf(current) : wanted;
  }
  const size = sizeOf(current);
  if (size >= wanted) return wanted;
  const room = wanted + rollingLimits(deployment).surge - size - sum(old.map(sizeOf));
  return Math.min(wanted, size + Math.max(0, room));
}

function scaling(rollout: Rollout): Write[] {
  const { deployment, current, old, podsLeft } = rollout;
  const writes: Write[] = [];
  if (deployment.spec.strategy?.type === "Recreate") {
    for (const set of old.filter((each) => sizeOf(each) > 0)) writes.push(...resize(rollout, set, 0));
    if (old.some((set) => sizeOf(set) > 0 || podsLeft(set) > 0)) return writes;
    if (current !== undefined) writes.push(...resize(rollout, current, wantedReplicas(deployment)));
    return writes;
  }
  if (current === undefined) return writes;
  const size = newSize(deployment, current, old);
  writes.push(...resize(rollout, current, size));
  // The old ones make room only when the new size stands, or both steps would count the same pods.
  if (size === sizeOf(current)) writes.push(...oldScaling(rollout));
  return writes;
}

/** Takes unhealthy old pods away first, then healthy ones as far as enough pods stay available. */
function oldScaling(rollout: Rollout): Write[] {
  const { deployment, current, old } = rollout;
  const least = wantedReplicas(deployment) - rollingLimits(deployment).unavailable;
  const all = sizeOf(current) + sum(old.map(sizeOf));
  const newNotAvailable = Math.max(0, sizeOf(current) - available(current));
  const sizes = new Map(old.map((set) => [set, sizeOf(set)]));
  let removable = Math.max(0, all - least - newNotAvailable);
  for (const set of old) {
    const unhealthy = Math.max(0, sizeOf(set) - available(set));
    const cut = Math.min(removable, unhealthy);
    sizes.set(set, sizeOf(set) - cut);
    removable -= cut;
  }
  let spare = Math.max(0, available(current) + sum(old.map(available)) - least);
  for (const set of old) {
    const left = sizes.get(set) ?? 0;
    const cut = Math.min(spare, left, Math.max(0, removable));
    sizes.set(set, left - cut);
    spare -= cut;
    removable -= cut;
  }
  return [...sizes].flatMap(([set, size]) => resize(rollout, set, size));
}

/** While paused only the total follows: the newest ReplicaSet that has pods takes the change. */
function pausedScaling(rollout: Rollout): Write[] {
  const { deployment, current, old } = rollout;
  const sized = [...old, ...(current === undefined ? [] : [current])].filter((set) => sizeOf(set) > 0);
  const newest = sized.at(-1) ?? current;
  if (newest === undefined) return [];
  const others = sum(sized.filter((set) => set !== newest).map(sizeOf));
  return resize(rollout, newest, Math.max(0, wantedReplicas(deployment) - others));
}

function resize({ deployment, context }: Rollout, set: ReplicaSet, size: number): Write[] {
  const wanted = wantedReplicas(deployment);
  const annotations = {
    [desiredAnnotation]: String(wanted),
    [maxAnnotation]: String(wanted + rollingLimits(deployment).surge),
  };
  const before = sizeOf(set);
  const sameNotes = sameValue({ ...set.metadata.annotations, ...annotations }, set.metadata.annotations);
  if (size === before && sameNotes) return [];
  const { name, namespace = "default", resourceVersion } = set.metadata;
  const patch = { metadata: { resourceVersion, annotations }, spec: { replicas: size } };
  const write: Write = { kind: "patch", resource: replicaSets, name, namespace, patch };
  if (size === before) return [write];
  return [write, scaled(deployment, size > before ? "up" : "down", name, before, size, context)];
}

function scaled(
  about: Deployment,
  direction: "up" | "down",
  name: string,
  from: number,
  to: number,
  _context: PlanContext,
): Write {
  const message = `Scaled ${direction} replica set ${name} from ${from} to ${to}`;
  return { kind: "event", about, type: "Normal", reason: "ScalingReplicaSet", message };
}

/** Old ReplicaSets without pods, beyond the history that is kept. */
function forgotten({ deployment, old }: Rollout): Write[] {
  const empty = old.filter((set) => sizeOf(set) === 0 && (set.status?.replicas ?? 0) === 0);
  const excess = empty.length - (deployment.spec.revisionHistoryLimit ?? 10);
  return empty.slice(0, Math.max(0, excess)).map(({ metadata }) => ({
    kind: "delete",
    resource: replicaSets,
    name: metadata.name,
    namespace: metadata.namespace ?? "default",
    ...(metadata.uid !== undefined && { uid: metadata.uid }),
  }));
}
