import { hasCode } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeObject, OwnerReference, Resource } from "../../kube/objects.ts";
import type * as kube from "../../kube/resources.ts";
import { planNamespace } from "./namespace.ts";
import { heartbeatOf, planNode } from "./node-lifecycle.ts";
import { planDependent, planOwner } from "./owner-collection.ts";
import { nothing } from "./plan.ts";
import { planPodCollection } from "./pod-collection.ts";
import { type Controller, type ControllerParts, runController } from "./run.ts";
import type { Store } from "./store.ts";
import { keyOf, type Stores, splitKey } from "./stores.ts";

/** Runs the controllers that keep nodes, namespaces and what is left over in order. */
export function runHousekeeping(
  parts: ControllerParts & { readonly nodeGraceMs: number },
  stores: Stores,
): readonly Controller[] {
  return [
    runNodeLifecycle(parts, stores),
    runPodCollection(parts, stores),
    runOwnerCollection(parts, stores),
    runNamespaces(parts, stores),
  ];
}

const seenPods =
  (stores: Stores) =>
  (name: string, namespace: string): kube.Pod | undefined =>
    stores.pods.get(name, namespace);

function runNodeLifecycle(
  parts: ControllerParts & { readonly nodeGraceMs: number },
  stores: Stores,
): Controller {
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
    name: "node-lifecycle",
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
    name: "pod-collection",
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

function runOwnerCollection(parts: ControllerParts, stores: Stores): Controller {
  const owners: readonly Store<KubeObject>[] = [
    stores.deployments,
    stores.replicaSets,
    stores.daemonSets,
  ].map(widen);
  const dependents: readonly Store<KubeObject>[] = [stores.pods, stores.replicaSets, stores.revisions].map(
    widen,
  );
  const byOwner = dependents.map((store) => ({
    resource: store.resource,
    find: store.index(({ metadata }) => (metadata.ownerReferences ?? []).map(({ uid }) => uid)),
  }));
  const dependentsOf = (owner: KubeObject): { resource: Resource; object: KubeObject }[] =>
    byOwner.flatMap(({ resource, find }) =>
      find(owner.metadata.uid ?? "").map((object) => ({ resource, object })),
    );
  const ownerStore = (reference: OwnerReference): Store<KubeObject> | undefined =>
    owners.find(({ resource }) => resource.kind === reference.kind);
  const isMissing = (object: KubeObject, reference: OwnerReference): boolean => {
    const store = ownerStore(reference);
    if (store === undefined) return false;
    return store.get(reference.name, object.metadata.namespace)?.metadata.uid !== reference.uid;
  };
  const run = runController(parts, {
    name: "owner-collection",
    seenPod: seenPods(stores),
    plan: async (key) => {
      const [plural = "", namespace = "", name = ""] = key.split("/");
      const store = [...owners, ...dependents].find(({ resource }) => resource.plural === plural);
      const object = store?.get(name, namespace);
      if (store === undefined || object === undefined) return nothing;
      const waiting = planOwner(store.resource, object, dependentsOf(object));
      if (waiting.writes.length > 0) return waiting;
      const gone = new Set<string>();
      for (const reference of object.metadata.ownerReferences ?? []) {
        const resource = ownerStore(reference)?.resource;
        if (resource === undefined || !isMissing(object, reference)) continue;
        // The informers may be behind each other: only the API server knows.
        if (await isGone(parts.client, resource, reference, namespace)) gone.add(reference.uid);
      }
      return planDependent(store.resource, object, (uid) => gone.has(uid));
    },
  });
  const touch = (resource: Resource, object: KubeObject): void =>
    run.touch(`${resource.plural}/${keyOf(object)}`);
  for (const store of owners) {
    store.listen(({ object, deleted }) => {
      if (deleted) for (const each of dependentsOf(object)) touch(each.resource, each.object);
      else if (object.metadata.deletionTimestamp !== undefined) touch(store.resource, object);
    });
    for (const object of store.list())
      if (object.metadata.deletionTimestamp !== undefined) touch(store.resource, object);
  }
  for (const store of dependents) {
    const look = (object: KubeObject): void => {
      const references = object.metadata.ownerReferences ?? [];
      if (references.some((reference) => isMissing(object, reference))) touch(store.resource, object);
    };
    store.listen(({ object, deleted }) => {
      if (!deleted) {
        look(object);
        return;
      }
      // An owner that is deleted in the foreground waits for its last dependent.
      for (const reference of object.metadata.ownerReferences ?? []) {
        const owner = ownerStore(reference)?.get(reference.name, object.metadata.namespace);
        if (owner?.metadata.deletionTimestamp !== undefined) {
          touch(ownerStore(reference)?.resource ?? store.resource, owner);
        }
      }
    });
    for (const object of store.list()) look(object);
  }
  return run;
}

/** A store is only read here, so that one of pods serves as one of any objects. */
const widen = (store: unknown): Store<KubeObject> => store as Store<KubeObject>;

async function isGone(
  client: KubeClient,
  resource: Resource,
  reference: OwnerReference,
  namespace: string,
): Promise<boolean> {
  try {
    const owner = await client.get(resource, reference.name, namespace);
    return owner.metadata.uid !== reference.uid;
  } catch (error) {
    if (hasCode(error, "not_found")) return true;
    throw error;
  }
}

function runNamespaces(parts: ControllerParts, stores: Stores): Controller {
  const { namespaces, accounts } = stores;
  const run = runController(parts, {
    name: "namespace",
    seenPod: seenPods(stores),
    plan: (key) => {
      const namespace = namespaces.get(splitKey(key).name);
      if (namespace === undefined) return nothing;
      return planNamespace(namespace, accounts.get("default", namespace.metadata.name));
    },
  });
  namespaces.listen(({ object, deleted }) => {
    if (!deleted) run.touch(keyOf(object));
  });
  accounts.listen(({ object, deleted }) => {
    if (deleted) run.touch(`/${object.metadata.namespace}`);
  });
  for (const namespace of namespaces.list()) run.touch(keyOf(namespace));
  return run;
}
