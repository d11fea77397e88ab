// Pod disruption budgets: how many pods may go now, and evictions that ask.
import type { IntOrString, Pod, PodDisruptionBudget, ReplicaSet } from "../../kube/resources.ts";
import { selects } from "../../kube/selectors.ts";
import type { Engine } from "./engine.ts";
import { tooManyRequests } from "./failures.ts";
import { equalJson, isObject } from "./patch/json.ts";
import { deleteObject, readDeleteOptions } from "./remove.ts";
import { existingPod } from "./subresources.ts";
import { podType } from "./types/pods.ts";
import { podDisruptionBudgetType } from "./types/policy-objects.ts";
import { updateObject } from "./write.ts";

type BudgetStatus = NonNullable<PodDisruptionBudget["status"]>;

/** Deletes a pod when no budget forbids it; otherwise 429 tells the caller to try again. */
export function evictPod(engine: Engine, namespace: string, name: string, body: unknown): void {
  const pod = existingPod(engine, namespace, name);
  const isOver = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  const budgets = isOver ? [] : budgetsOf(engine, namespace).filter((each) => covers(each, pod));
  for (const budget of budgets) {
    const status = budgetStatus(engine, budget);
    if (status.disruptionsAllowed > 0 || !isHealthy(pod)) continue;
    throw tooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 10, [
      {
        reason: "DisruptionBudget",
        message: `The disruption budget ${budget.metadata.name} needs ${status.desiredHealthy} healthy pods and has ${status.currentHealthy} currently`,
      },
    ]);
  }
  const given = isObject(body) ? body.deleteOptions : undefined;
  deleteObject(engine, podType, namespace, name, readDeleteOptions(given, new URLSearchParams()));
}

/** Keeps the status of every budget true. Returns what ends it. */
export function keepBudgets(engine: Engine): () => void {
  let scheduled: NodeJS.Immediate | undefined;
  const refresh = (): void => {
    scheduled ??= setImmediate(() => {
      scheduled = undefined;
      for (const { object } of [...engine.store.list(podDisruptionBudgetType.collection)]) {
        writeStatus(engine, object as PodDisruptionBudget);
      }
    });
  };
  const stops = [
    engine.store.subscribe(podType.collection, refresh),
    engine.store.subscribe(podDisruptionBudgetType.collection, refresh),
  ];
  return () => {
    for (const stop of stops) stop();
    clearImmediate(scheduled);
  };
}

function writeStatus(engine: Engine, budget: PodDisruptionBudget): void {
  const status = budgetStatus(engine, budget);
  if (equalJson(status, budget.status)) return;
  const { namespace = "", name } = budget.metadata;
  updateObject(engine, podDisruptionBudgetType, namespace, name, (draft) => ({ ...draft, status }), {
    subresource: "status",
  });
}

function budgetsOf(engine: Engine, namespace: string): PodDisruptionBudget[] {
  return engine.store
    .list(podDisruptionBudgetType.collection, namespace)
    .map(({ object }) => object as PodDisruptionBudget);
}

function covers(budget: PodDisruptionBudget, pod: Pod): boolean {
  return selects(budget.spec?.selector, pod.metadata.labels);
}

function isHealthy(pod: Pod): boolean {
  if (pod.metadata.deletionTimestamp !== undefined) return false;
  return pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") === true;
}

function budgetStatus(engine: Engine, budget: PodDisruptionBudget): BudgetStatus {
  const pods = engine.store
    .list(podType.collection, budget.metadata.namespace)
    .map(({ object }) => object as Pod)
    .filter((pod) => covers(budget, pod));
  const currentHealthy = pods.filter(isHealthy).length;
  const expectedPods = expectedCount(engine, pods);
  const { minAvailable, maxUnavailable } = budget.spec ?? {};
  const desiredHealthy =
    maxUnavailable !== undefined
      ? Math.max(0, expectedPods - countOf(maxUnavailable, expectedPods))
      : countOf(minAvailable ?? 1, expectedPods);
  return {
    disruptionsAllowed: expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy),
    currentHealthy,
    desiredHealthy,
    expectedPods,
    observedGeneration: budget.metadata.generation ?? 0,
  };
}

/** What the owners want; a pod without an owner counts for itself. */
function expectedCount(engine: Engine, pods: readonly Pod[]): number {
  const counts = new Map<string, number>();
  for (const pod of pods) {
    const owner = pod.metadata.ownerReferences?.find((reference) => reference.controller === true);
    const set =
      owner?.kind === "ReplicaSet"
        ? (engine.store.get("replicasets.apps", pod.metadata.namespace ?? "", owner.name)?.object as
            | ReplicaSet
            | undefined)
        : undefined;
    if (set !== undefined) counts.set(set.metadata.uid ?? "", set.spec.replicas ?? 1);
    else counts.set(pod.metadata.uid ?? "", 1);
  }
  return [...counts.values()].reduce((sum, count) => sum + count, 0);
}

/** Percentages are rounded up. */
function countOf(value: IntOrString, total: number): number {
  return typeof value === "number" ? value : Math.ceil((Number.parseInt(value, 10) * total) / 100);
}
