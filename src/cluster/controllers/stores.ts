import type { KubeObject, Resource } from "../../kube/objects.ts";
import * as kube from "../../kube/resources.ts";
import { controllerOf } from "./pods.ts";
import { type Store, startStore } from "./store.ts";

/** Everything that the controllers watch, and the look-ups that they share. */
export interface Stores {
  readonly pods: Store<kube.Pod>;
  readonly nodes: Store<kube.Node>;
  readonly replicaSets: Store<kube.ReplicaSet>;
  readonly deployments: Store<kube.Deployment>;
  readonly daemonSets: Store<kube.DaemonSet>;
  readonly revisions: Store<kube.ControllerRevision>;
  readonly leases: Store<kube.Lease>;
  /** Of pods that are bound to a node. */
  readonly podsOnNode: (node: string) => kube.Pod[];
}

export function openStores(
  client: Parameters<typeof startStore>[0],
  options: Parameters<typeof startStore>[2],
): Stores & { readonly synced: Promise<void> } {
  const open = <T extends KubeObject>(resource: Resource<T>): Store<T> =>
    startStore(client, resource, options);
  const stores = {
    pods: open(kube.pods),
    nodes: open(kube.nodes),
    replicaSets: open(kube.replicaSets),
    deployments: open(kube.deployments),
    daemonSets: open(kube.daemonSets),
    revisions: open(kube.controllerRevisions),
    leases: open(kube.leases),
  };
  return {
    ...stores,
    podsOnNode: stores.pods.index((pod) => (pod.spec.nodeName === undefined ? [] : [pod.spec.nodeName])),
    synced: Promise.all(Object.values(stores).map((store) => store.synced)).then(() => {}),
  };
}

/** The objects that an owner has or may adopt: those it controls, and those of its namespace that nobody controls. */
export function candidatesOf<T extends KubeObject>(store: Store<T>): (owner: KubeObject) => T[] {
  const find = store.index((object) => [controllerOf(object)?.uid ?? `nobody/${object.metadata.namespace}`]);
  return (owner) => [...find(owner.metadata.uid ?? ""), ...find(`nobody/${owner.metadata.namespace}`)];
}

/** "NAMESPACE/NAME", the key of an object in a work queue. */
export const keyOf = (object: KubeObject): string =>
  `${object.metadata.namespace ?? ""}/${object.metadata.name}`;

export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
