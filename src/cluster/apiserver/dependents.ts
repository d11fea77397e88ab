// What the server does by itself after a write: dependents follow their owners, contents follow their namespace,
// custom resources follow their definition.
import type { KubeObject } from "../../kube/objects.ts";
import type { CustomResourceDefinition, Namespace } from "../../kube/resources.ts";
import { copyOf, type Engine } from "./engine.ts";
import { deleteObject, removeNow } from "./remove.ts";
import type { Draft, ResourceType } from "./resource-type.ts";
import type { Change, Stored } from "./store.ts";
import { namespaceType } from "./types/cluster-objects.ts";
import { crdType } from "./types/custom-resources.ts";
import { updateObject } from "./write.ts";

/** Follows the store until stopped; the work is done in turns of the event loop of its own. */
export class DependentsKeeper {
  readonly #engine: Engine;
  /** By uid: the key "collection namespace/name" of everything that exists. */
  readonly #places = new Map<string, string>();
  /** By the owner's uid: the keys "collection namespace/name" of what it owns. */
  readonly #owned = new Map<string, Set<string>>();
  readonly #pending = new Set<string>();
  readonly #stop: () => void;
  #scheduled = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    const { store } = engine;
    for (const collection of store.collections()) {
      for (const stored of store.list(collection)) this.#index(collection, stored.object);
    }
    for (const collection of store.collections()) {
      for (const stored of store.list(collection)) this.#consider(collection, stored.object);
    }
    this.#stop = store.subscribeToAll((change) => this.#follow(change));
  }

  stop(): void {
    this.#stop();
    this.#pending.clear();
  }

  #follow({ type, collection, now, before }: Change): void {
    const { object } = now;
    const uid = object.metadata.uid ?? "";
    if (before !== undefined) this.#unindex(collection, before.object);
    if (type !== "DELETED") {
      this.#index(collection, object);
      this.#consider(collection, object);
      return;
    }
    this.#places.delete(uid);
    for (const key of this.#owned.get(uid) ?? []) this.#later(key);
    for (const { uid: owner } of object.metadata.ownerReferences ?? []) {
      const place = this.#places.get(owner);
      if (place !== undefined) this.#later(place);
    }
    const { namespace } = object.metadata;
    if (namespace !== undefined) this.#later(keyOf(namespaceType.collection, "", namespace));
    if (collection === crdType.collection) this.#removeInstances(object as CustomResourceDefinition);
  }

  #index(collection: string, object: KubeObject): void {
    const key = keyOf(collection, object.metadata.namespace ?? "", object.metadata.name);
    this.#places.set(object.metadata.uid ?? "", key);
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const owned = this.#owned.get(uid) ?? new Set<string>();
      owned.add(key);
      this.#owned.set(uid, owned);
    }
  }

  #unindex(collection: string, object: KubeObject): void {
    for (const { uid } of object.metadata.ownerReferences ?? []) {
      const owned = this.#owned.get(uid);
      owned?.delete(keyOf(collection, object.metadata.namespace ?? "", object.metadata.name));
      if (owned?.size === 0) this.#owned.delete(uid);
    }
  }

  /** Marks what may need work: owned objects, and whatever is being deleted. */
  #consider(collection: string, object: KubeObject): void {
    const { ownerReferences = [], deletionTimestamp, namespace = "", name } = object.metadata;
    const isOrphan = ownerReferences.length > 0 && !ownerReferences.some(({ uid }) => this.#places.has(uid));
    if (deletionTimestamp !== undefined || isOrphan) this.#later(keyOf(collection, namespace, name));
  }

  #later(key: string): void {
    this.#pending.add(key);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      const keys = [...this.#pending];
      this.#pending.clear();
      for (const each of keys) this.#settle(each);
    });
  }

  #settle(key: string): void {
    const [collection = "", path = ""] = key.split(" ");
    const slash = path.indexOf("/");
    const type = this.#engine.registry.ofCollection(collection);
    const stored = this.#engine.store.get(collection, path.slice(0, slash), path.slice(slash + 1));
    if (stored === undefined || type === undefined) return;
    const { deletionTimestamp, finalizers = [], ownerReferences = [] } = stored.object.metadata;
    if (deletionTimestamp === undefined) {
      const isOrphan =
        ownerReferences.length > 0 && !ownerReferences.some(({ uid }) => this.#places.has(uid));
      if (isOrphan) this.#delete(type, stored);
      return;
    }
    if (finalizers.includes("orphan")) this.#letGo(type, stored);
    else if (finalizers.includes("foregroundDeletion")) this.#deleteOwned(type, stored);
    else if (type === namespaceType) this.#emptyNamespace(stored);
  }

  #delete(type: ResourceType, { object }: Stored): void {
    deleteObject(this.#engine, type, object.metadata.namespace ?? "", object.metadata.name, {
      propagationPolicy: "Background",
    });
  }

  #ownedBy(owner: KubeObject): { type: ResourceType; stored: Stored }[] {
    const found: { type: ResourceType; stored: Stored }[] = [];
    for (const key of this.#owned.get(owner.metadata.uid ?? "") ?? []) {
      const [collection = "", path = ""] = key.split(" ");
      const slash = path.indexOf("/");
      const type = this.#engine.registry.ofCollection(collection);
      const stored = this.#engine.store.get(collection, path.slice(0, slash), path.slice(slash + 1));
      if (type !== undefined && stored !== undefined) found.push({ type, stored });
    }
    return found;
  }

  #letGo(type: ResourceType, owner: Stored): void {
    for (const { type: kind, stored } of this.#ownedBy(owner.object)) {
      const { namespace = "", name } = stored.object.metadata;
      this.#change(kind, namespace, name, (draft) => {
        draft.metadata.ownerReferences = (draft.metadata.ownerReferences ?? []).filter(
          ({ uid }) => uid !== owner.object.metadata.uid,
        );
      });
    }
    this.#dropFinalizer(type, owner, "orphan");
  }

  #deleteOwned(type: ResourceType, owner: Stored): void {
    const owned = this.#ownedBy(owner.object);
    const blocking = owned.filter(({ stored }) =>
      (stored.object.metadata.ownerReferences ?? []).some(
        (reference) => reference.uid === owner.object.metadata.uid && reference.blockOwnerDeletion === true,
      ),
    );
    for (const { type: kind, stored } of owned) {
      if (stored.object.metadata.deletionTimestamp !== undefined) continue;
      const { namespace = "", name } = stored.object.metadata;
      deleteObject(this.#engine, kind, namespace, name, { propagationPolicy: "Foreground" });
    }
    if (blocking.length === 0) this.#dropFinalizer(type, owner, "foregroundDeletion");
  }

  #dropFinalizer(type: ResourceType, { object }: Stored, finalizer: string): void {
    const { namespace = "", name } = object.metadata;
    this.#change(type, namespace, name, (draft) => {
      draft.metadata.finalizers = (draft.metadata.finalizers ?? []).filter((each) => each !== finalizer);
    });
  }

  #change(type: ResourceType, namespace: string, name: string, edit: (draft: Draft) => void): void {
    updateObject(this.#engine, type, namespace, name, (draft) => {
      edit(draft);
      return draft;
    });
  }

  #emptyNamespace(stored: Stored): void {
    const { store, registry } = this.#engine;
    const { name } = stored.object.metadata;
    let left = 0;
    for (const collection of store.collections()) {
      const type = registry.ofCollection(collection);
      if (type?.namespaced !== true) continue;
      for (const content of [...store.list(collection, name)]) {
        if (content.object.metadata.deletionTimestamp === undefined) this.#delete(type, content);
        if (store.get(collection, name, content.object.metadata.name) !== undefined) left++;
      }
    }
    if (left > 0 || (stored.object.metadata.finalizers ?? []).length > 0) return;
    const last = copyOf<Namespace>(stored);
    last.spec = {};
    removeNow(this.#engine, namespaceType, last);
  }

  #removeInstances(crd: CustomResourceDefinition): void {
    const { store } = this.#engine;
    const collection = `${crd.spec.names.plural}.${crd.spec.group}`;
    for (const { object } of [...store.list(collection)]) {
      store.remove(collection, object.metadata.namespace ?? "", object.metadata.name);
    }
  }
}

function keyOf(collection: string, namespace: string, name: string): string {
  return `${collection} ${namespace}/${name}`;
}
