import type { KubeObject } from "../../kube/objects.ts";
import type { LabelSelector, Node, Pod } from "../../kube/resources.ts";
import { selects } from "../../kube/selectors.ts";
import { planDaemonSet } from "./daemon-set.ts";
import { planDeployment } from "./deployment.ts";
import { nothing, type PlanContext } from "./plan.ts";
import { controllerOf, isActive } from "./pods.ts";
import { planReplicaSet } from "./replica-set.ts";
import { type Controller, type ControllerParts, runController } from "./run.ts";
import type { Store } from "./store.ts";
import { candidatesOf, keyOf, type Stores, splitKey } from "./stores.ts";

/** Runs the Deployment, ReplicaSet and DaemonSet controllers. */
export function runWorkloads(
  parts: ControllerParts,
  stores: Stores,
  context: () => PlanContext,
): readonly Controller[] {
  const { pods, replicaSets, deployments, daemonSets, revisions, nodes } = stores;
  const podsFor = candidatesOf(pods);
  const setsFor = candidatesOf(replicaSets);
  const revisionsFor = candidatesOf(revisions);
  const seenPod = (name: string, namespace: string): Pod | undefined => pods.get(name, namespace);

  const deploymentRun = runController(parts, {
    name: "deployment",
    seenPod,
    plan: (key) => {
      const { name, namespace } = splitKey(key);
      const deployment = deployments.get(name, namespace);
      if (deployment === undefined) return nothing;
      const podsLeft = (set: KubeObject): number =>
        podsFor(set).filter((pod) => controllerOf(pod)?.uid === set.metadata.uid && !isFinished(pod)).length;
      return planDeployment(deployment, setsFor(deployment), podsLeft, context());
    },
  });
  const replicaSetRun = runController(parts, {
    name: "replicaset",
    seenPod,
    plan: (key) => {
      const { name, namespace } = splitKey(key);
      const set = replicaSets.get(name, namespace);
      return set === undefined ? nothing : planReplicaSet(set, podsFor(set), context());
    },
  });
  const daemonSetRun = runController(parts, {
    name: "daemonset",
    seenPod,
    plan: (key) => {
      const { name, namespace } = splitKey(key);
      const set = daemonSets.get(name, namespace);
      if (set === undefined) return nothing;
      const owned = revisionsFor(set).filter((revision) => controllerOf(revision)?.uid === set.metadata.uid);
      return planDaemonSet(
        set,
        { nodes: nodes.list(), candidates: podsFor(set), revisions: owned },
        context(),
      );
    },
  });

  const byKind: Readonly<Record<string, Controller>> = {
    Deployment: deploymentRun,
    ReplicaSet: replicaSetRun,
    DaemonSet: daemonSetRun,
  };
  const touchOwner = (object: KubeObject): void => {
    const owner = controllerOf(object);
    if (owner !== undefined) byKind[owner.kind]?.touch(`${object.metadata.namespace ?? ""}/${owner.name}`);
  };
  follow(deployments, (deployment) => deploymentRun.touch(keyOf(deployment)));
  follow(replicaSets, (set) => {
    replicaSetRun.touch(keyOf(set));
    touchOwner(set);
    if (controllerOf(set) === undefined) touchAdopters(deployments, set, deploymentRun);
  });
  follow(daemonSets, (set) => daemonSetRun.touch(keyOf(set)));
  follow(revisions, touchOwner);
  pods.listen(({ object, before, deleted }) => {
    if (before !== undefined) touchOwner(before);
    touchOwner(object);
    if (controllerOf(object) === undefined && isActive(object)) {
      touchAdopters(replicaSets, object, replicaSetRun);
      touchAdopters(daemonSets, object, daemonSetRun);
    }
    if (deleted) touchGrandOwner(object);
  });
  // Recreate waits for the last pod of the old ReplicaSets.
  const touchGrandOwner = (pod: Pod): void => {
    const owner = controllerOf(pod);
    if (owner?.kind !== "ReplicaSet") return;
    const set = replicaSets.get(owner.name, pod.metadata.namespace);
    if (set !== undefined) touchOwner(set);
  };
  nodes.listen(({ object, before, deleted }) => {
    if (!deleted && before !== undefined && placement(object) === placement(before)) return;
    for (const set of daemonSets.list()) daemonSetRun.touch(keyOf(set));
  });
  for (const pod of pods.list()) {
    if (controllerOf(pod) !== undefined) continue;
    touchAdopters(replicaSets, pod, replicaSetRun);
    touchAdopters(daemonSets, pod, daemonSetRun);
  }
  return [deploymentRun, replicaSetRun, daemonSetRun];
}

const isFinished = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

/** Touches every object of the store now and whenever it changes. */
function follow<T extends KubeObject>(store: Store<T>, touch: (object: T) => void): void {
  store.listen(({ object }) => touch(object));
  for (const object of store.list()) touch(object);
}

function touchAdopters<T extends KubeObject & { spec: { selector: LabelSelector } }>(
  owners: Store<T>,
  orphan: KubeObject,
  controller: Controller,
): void {
  for (const owner of owners.list()) {
    if (owner.metadata.namespace !== orphan.metadata.namespace) continue;
    if (selects(owner.spec.selector, orphan.metadata.labels)) controller.touch(keyOf(owner));
  }
}

/** The parts of a node that decide whether a daemon pod runs there. */
const placement = (node: Node): string =>
  JSON.stringify([
    node.metadata.labels,
    node.spec?.taints,
    node.spec?.unschedulable,
    node.metadata.deletionTimestamp,
  ]);
