import type * as kube from "../../kube/resources.ts";
import { heartbeatOf, planCloudNode, planNode } from "./node-lifecycle.ts";
import { nothing } from "./plan.ts";
import { planPodCollection } from "./pod-collection.ts";
import { type Controller, type ControllerParts, runController } from "./run.ts";
import { keyOf, type Stores, splitKey } from "./stores.ts";

/**
 * Runs the controllers that keep nodes and pods without a node in order. Dependents follow their owners and
 * contents their namespace in the API server itself.
 */
export function runHousekeeping(parts: HousekeepingParts, stores: Stores): readonly Controller[] {
  return [
    runNodeLifecycle(parts, stores),
    runPodCollection(parts, stores),
    ...(parts.instanceExists === undefined ? [] : [runCloudNodes(parts, stores, parts.instanceExists)]),
  ];
}

export interface HousekeepingParts extends ControllerParts {
  readonly nodeGraceMs: number;
  readonly instanceExists?: InstanceExists;
}

/** Whether the cloud still has the instance of a provider id; a node without one is never asked for. */
export type InstanceExists = (providerId: string) => boolean | Promise<boolean>;

const seenPods =
  (stores: Stores) =>
  (name: string, namespace: string): kube.Pod | undefined =>
    stores.pods.get(name, namespace);

function runNodeLifecycle(parts: HousekeepingParts, stores: Stores): Controller {
  const { nodes, leases, pods } = stores;
  const heard = new Map<string, { readonly beat: string; readonly at: number }>();
  const leaseOf = (name: string): kube.Lease | undefined => leases.get(name, "kube-node-lease");
  /** The time by our own clock: a node's clock, or our own absence, must not make it look dead. */
  const listen = (node: kube.Node): number => {
    const { name } = node.metadata;
    const beat = heartbeatOf(node, leaseOf(name));
    const before = heard.get(name);
    if (before?.beat === beat) return before.at;
    heard.set(name, { beat, at: parts.clock.now() });
    return parts.clock.now();
  };
  const run = runController(parts, {
    name: "node",
    seenPod: seenPods(stores),
    plan: (key) => {
      const node = nodes.get(splitKey(key).name);
      if (node === undefined) return nothing;
      const view = {
        node,
        pods: stores.podsOnNode(node.metadata.name),
        heardAt: listen(node),
        graceMs: parts.nodeGraceMs,
      };
      return planNode(view, parts.clock.now());
    },
  });
  nodes.listen(({ object, deleted }) => {
    if (deleted) heard.delete(object.metadata.name);
    else run.touch(keyOf(object));
  });
  leases.listen(({ object }) => {
    const node = nodes.get(object.metadata.name);
    if (node !== undefined && object.metadata.namespace === "kube-node-lease") listen(node);
  });
  pods.listen(({ object, deleted }) => {
    const node = deleted ? undefined : nodes.get(object.spec.nodeName ?? "");
    if (node?.spec?.taints?.some(({ effect }) => effect === "NoExecute")) run.touch(keyOf(node));
  });
  for (const node of nodes.list()) run.touch(keyOf(node));
  return run;
}

function runPodCollection(parts: ControllerParts, stores: Stores): Controller {
  const { pods, nodes } = stores;
  const missingSince = new Map<string, number>();
  const run = runController(parts, {
    name: "pod-garbage-collector",
    seenPod: seenPods(stores),
    plan: (key) => {
      const { name, namespace } = splitKey(key);
      const pod = pods.get(name, namespace);
      if (pod === undefined) return nothing;
      const node = pod.spec.nodeName ?? "";
      if (node !== "" && nodes.get(node) === undefined && !missingSince.has(node)) {
        missingSince.set(node, parts.clock.now());
      }
      return planPodCollection(pod, missingSince.get(node), parts.clock.now());
    },
  });
  const look = (pod: kube.Pod): void => {
    const node = pod.spec.nodeName ?? "";
    const lost = node === "" ? pod.metadata.deletionTimestamp !== undefined : nodes.get(node) === undefined;
    if (lost) run.touch(keyOf(pod));
  };
  nodes.listen(({ object, deleted }) => {
    if (deleted) for (const pod of stores.podsOnNode(object.metadata.name)) run.touch(keyOf(pod));
    else missingSince.delete(object.metadata.name);
  });
  pods.listen(({ object, deleted }) => {
    if (!deleted) look(object);
  });
  for (const pod of pods.list()) look(pod);
  return run;
}

function runCloudNodes(parts: ControllerParts, stores: Stores, instanceExists: InstanceExists): Controller {
  const { nodes } = stores;
  const run = runController(parts, {
    name: "cloud-node-lifecycle",
    seenPod: seenPods(stores),
    plan: async (key) => {
      const node = nodes.get(splitKey(key).name);
      const providerId = node?.spec?.providerID;
      if (node === undefined || providerId === undefined) return nothing;
      return planCloudNode(node, await instanceExists(providerId), parts.clock.now());
    },
  });
  nodes.listen(({ object, deleted }) => {
    if (!deleted) run.touch(keyOf(object));
  });
  for (const node of nodes.list()) run.touch(keyOf(node));
  return run;
}
