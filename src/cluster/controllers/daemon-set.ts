import type { ControllerRevision, DaemonSet, Node, Pod, Toleration } from "../../kube/resources.ts";
import { controllerRevisions, daemonSets, pods as podResource } from "../../kube/resources.ts";
import { matchesNodeChoice, untolerated } from "./node-fit.ts";
import { type Plan, type PlanContext, statusWrite, type Write } from "./plan.ts";
import {
  availableAt,
  claim,
  countOf,
  isAvailable,
  isReady,
  ownerReference,
  podFromTemplate,
  podOwnersWrite,
  templateHash,
} from "./pods.ts";

export const revisionHashLabel = "controller-revision-hash";
const generationLabel = "pod-template-generation";

/** What a DaemonSet needs to see. */
export interface DaemonSetWorld {
  readonly nodes: readonly Node[];
  /** Pods of the namespace that it owns or may adopt. */
  readonly candidates: readonly Pod[];
  /** Revisions that it owns. */
  readonly revisions: readonly ControllerRevision[];
}

/** One pod of the present template on every node that fits; a rolling update within maxUnavailable. */
export function planDaemonSet(set: DaemonSet, world: DaemonSetWorld, context: PlanContext): Plan {
  const { owned, writes: claims } = claim(set, world.candidates, podOwnersWrite);
  const hash = templateHash(set.spec.template, set.status?.collisionCount);
  const places = world.nodes.map((node) => placeOf(set, node, owned));
  const writes: Write[] = [...claims];
  if (set.metadata.deletionTimestamp === undefined) {
    writes.push(...revisionWrites(set, hash, world.revisions, owned));
    const gone = new Set<Pod>();
    for (const place of places) {
      for (const pod of surplus(place)) {
        gone.add(pod);
        writes.push(...deletion(set, pod));
      }
      if (needsPod(place)) writes.push(...creation(set, place.node, hash, context));
    }
    writes.push(...update(set, places, gone, hash, context.now).flatMap((pod) => deletion(set, pod)));
  }
  writes.push(...statusWrite(daemonSets, set, statusOf(set, places, hash, context.now)));
  const wakes = owned
    .map((pod) => availableAt(pod, set.spec.minReadySeconds ?? 0) ?? 0)
    .filter((at) => at > context.now);
  return wakes.length === 0 ? { writes } : { writes, wakeAt: Math.min(...wakes) };
}

/** A node and the set's pods on it or meant for it. */
interface Place {
  readonly node: Node;
  readonly shouldRun: boolean;
  /** False: pods that are there must go too. */
  readonly mayStay: boolean;
  /** The oldest first. */
  readonly pods: readonly Pod[];
}

/** What daemon pods tolerate beside what their template says (daemon/util AddOrUpdateDaemonPodTolerations). */
export function daemonTolerations(hostNetwork: boolean): Toleration[] {
  const exists = (key: string, effect: "NoExecute" | "NoSchedule"): Toleration => ({
    key: `node.kubernetes.io/${key}`,
    operator: "Exists",
    effect,
  });
  return [
    exists("not-ready", "NoExecute"),
    exists("unreachable", "NoExecute"),
    exists("disk-pressure", "NoSchedule"),
    exists("memory-pressure", "NoSchedule"),
    exists("pid-pressure", "NoSchedule"),
    exists("unschedulable", "NoSchedule"),
    ...(hostNetwork ? [exists("network-unavailable", "NoSchedule")] : []),
  ];
}

/** Daemon pods also start on nodes that are not ready: they are what makes them ready. */
const notReadyToleration: Toleration = {
  key: "node.kubernetes.io/not-ready",
  operator: "Exists",
  effect: "NoSchedule",
};

function placeOf(set: DaemonSet, node: Node, owned: readonly Pod[]): Place {
  const { spec } = set.spec.template;
  const tolerations = [
    ...(spec.tolerations ?? []),
    ...daemonTolerations(spec.hostNetwork === true),
    ...(spec.hostNetwork === true ? [notReadyToleration] : []),
  ];
  const fits =
    node.metadata.deletionTimestamp === undefined &&
    (spec.nodeName === undefined || spec.nodeName === node.metadata.name) &&
    matchesNodeChoice(spec, node);
  const pods = owned
    .filter((pod) => targetNode(pod) === node.metadata.name)
    .sort((a, b) => ((a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? -1 : 1));
  return {
    node,
    shouldRun: fits && untolerated(node, tolerations, ["NoSchedule", "NoExecute"]) === undefined,
    mayStay: fits && untolerated(node, tolerations, ["NoExecute"]) === undefined,
    pods,
  };
}

/** The node a daemon pod is on, or is pinned to while it waits for the scheduler. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== "") return pod.spec.nodeName;
  const terms =
    pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms ?? [];
  const fields = terms.flatMap((term) => term.matchFields ?? []);
  return fields.find(({ key, operator }) => key === "metadata.name" && operator === "In")?.values?.[0];
}

const isLeaving = (pod: Pod): boolean => pod.metadata.deletionTimestamp !== undefined;
const isFinished = (pod: Pod): boolean => pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded";
const running = (place: Place): readonly Pod[] =>
  place.pods.filter((pod) => !isLeaving(pod) && !isFinished(pod));

function surplus(place: Place): readonly Pod[] {
  const present = place.pods.filter((pod) => !isLeaving(pod));
  if (!place.mayStay) return present;
  // A finished daemon pod is replaced; of several that run only the oldest stays.
  return [...present.filter(isFinished), ...running(place).slice(1)];
}

/** Nothing is created beside a pod that is leaving: the old one may still hold ports. */
function needsPod(place: Place): boolean {
  return place.shouldRun && running(place).length === 0 && !place.pods.some(isLeaving);
}

function creation(set: DaemonSet, node: Node, hash: string, context: PlanContext): Write[] {
  const labels = {
    [revisionHashLabel]: hash,
    [generationLabel]: String(set.metadata.generation ?? 1),
  };
  const pod = podFromTemplate(set, set.spec.template, labels, context);
  const { spec } = pod;
  const nodeTerm = {
    matchFields: [{ key: "metadata.name", operator: "In" as const, values: [node.metadata.name] }],
  };
  // The pin replaces the template's required terms: that they hold has been checked.
  spec.affinity = {
    ...spec.affinity,
    nodeAffinity: {
      ...spec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [nodeTerm] },
    },
  };
  spec.tolerations = [...(spec.tolerations ?? []), ...daemonTolerations(spec.hostNetwork === true)];
  if (spec.hostNetwork === true) spec.tolerations.push(notReadyToleration);
  return [
    { kind: "create", resource: podResource, object: pod },
    event(set, "SuccessfulCreate", `Created pod: ${pod.metadata.name}`),
  ];
}

function deletion(set: DaemonSet, pod: Pod): Write[] {
  const write: Write = {
    kind: "delete",
    resource: podResource,
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "default",
    ...(pod.metadata.uid !== undefined && { uid: pod.metadata.uid }),
  };
  return [write, event(set, "SuccessfulDelete", `Deleted pod: ${pod.metadata.name}`)];
}

/** The pods of old templates that may go now: those that don't work at once, others within the budget. */
function update(
  set: DaemonSet,
  places: readonly Place[],
  gone: ReadonlySet<Pod>,
  hash: string,
  now: number,
): Pod[] {
  if (set.spec.updateStrategy?.type === "OnDelete") return [];
  const wanted = places.filter((place) => place.shouldRun);
  const rolling = set.spec.updateStrategy?.rollingUpdate;
  const budget = Math.max(1, countOf(rolling?.maxUnavailable ?? 1, wanted.length, "up"));
  const minReadySeconds = set.spec.minReadySeconds ?? 0;
  const works = (pod: Pod): boolean => isAvailable(pod, minReadySeconds, now);
  const present = wanted.map((place) => running(place).find((pod) => !gone.has(pod)));
  const unavailable = present.filter((pod) => pod === undefined || !works(pod)).length;
  const old = present.filter((pod) => pod !== undefined && pod.metadata.labels?.[revisionHashLabel] !== hash);
  const broken = old.filter((pod) => pod !== undefined && !works(pod));
  const healthy = old.filter((pod) => pod !== undefined && works(pod));
  return [...broken, ...healthy.slice(0, Math.max(0, budget - unavailable))].filter(
    (pod) => pod !== undefined,
  );
}

/** The history that `kubectl rollout history` shows; the newest number belongs to the present template. */
function revisionWrites(
  set: DaemonSet,
  hash: string,
  revisions: readonly ControllerRevision[],
  owned: readonly Pod[],
): Write[] {
  const current = revisions.find((revision) => revision.metadata.labels?.[revisionHashLabel] === hash);
  const others = revisions.filter((revision) => revision !== current);
  const newest = Math.max(0, ...others.map(({ revision }) => revision));
  const namespace = set.metadata.namespace ?? "default";
  const writes: Write[] = [];
  if (current === undefined) {
    const revision: ControllerRevision = {
      apiVersion: "apps/v1",
      kind: "ControllerRevision",
      metadata: {
        name: `${set.metadata.name}-${hash}`,
        namespace,
        labels: { ...set.spec.template.metadata?.labels, [revisionHashLabel]: hash },
        annotations: { "deprecated.daemonset.template.generation": String(set.metadata.generation ?? 1) },
        ownerReferences: [ownerReference(set)],
      },
      data: { spec: { template: { ...set.spec.template, $patch: "replace" } } },
      revision: newest + 1,
    };
    writes.push({ kind: "create", resource: controllerRevisions, object: revision });
  } else if (current.revision <= newest) {
    const { name } = current.metadata;
    writes.push({
      kind: "patch",
      resource: controllerRevisions,
      name,
      namespace,
      patch: { revision: newest + 1 },
    });
  }
  const used = new Set(owned.map((pod) => pod.metadata.labels?.[revisionHashLabel]));
  const unused = others
    .filter((revision) => !used.has(revision.metadata.labels?.[revisionHashLabel]))
    .sort((a, b) => a.revision - b.revision);
  const excess = unused.length - (set.spec.revisionHistoryLimit ?? 10);
  for (const { metadata } of unused.slice(0, Math.max(0, excess))) {
    writes.push({ kind: "delete", resource: controllerRevisions, name: metadata.name, namespace });
  }
  return writes;
}

function statusOf(
  set: DaemonSet,
  places: readonly Place[],
  hash: string,
  now: number,
): NonNullable<DaemonSet["status"]> {
  const wanted = places.filter((place) => place.shouldRun);
  const first = wanted.map((place) => running(place)[0]).filter((pod) => pod !== undefined);
  const numberAvailable = first.filter((pod) => isAvailable(pod, set.spec.minReadySeconds ?? 0, now)).length;
  const { collisionCount } = set.status ?? {};
  return {
    currentNumberScheduled: first.length,
    numberMisscheduled: places.filter((place) => !place.shouldRun && running(place).length > 0).length,
    desiredNumberScheduled: wanted.length,
    numberReady: first.filter(isReady).length,
    observedGeneration: set.metadata.generation ?? 0,
    updatedNumberScheduled: first.filter((pod) => pod.metadata.labels?.[revisionHashLabel] === hash).length,
    numberAvailable,
    numberUnavailable: wanted.length - numberAvailable,
    ...(collisionCount !== undefined && { collisionCount }),
  };
}

const event = (about: DaemonSet, reason: string, message: string): Write => ({
  kind: "event",
  about,
  type: "Normal",
  reason,
  message,
});
