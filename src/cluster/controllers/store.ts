import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import { type Informer, startInformer } from "../../kube/informer.ts";
import type { KubeObject, Resource } from "../../kube/objects.ts";

export interface StoreChange<T extends KubeObject> {
  /** The state now; of a deleted object the last one seen. */
  readonly object: T;
  readonly before?: T;
  readonly deleted: boolean;
}

/** One informer shared by several controllers, with listeners and look-ups by a computed key. */
export interface Store<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly synced: Promise<void>;
  get(name: string, namespace?: string): T | undefined;
  list(): T[];
  /** Tells about every change from now on, before the store's own `synced` too. */
  listen(listener: (change: StoreChange<T>) => void): void;
  /** The objects for which `keysOf` gives `key`; costs what the answer holds, not what the store holds. */
  index(keysOf: (object: T) => readonly string[]): (key: string) => T[];
}

/** Starts the informer; it ends with `signal`. */
export function startStore<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: { readonly signal: AbortSignal; readonly clock: Clock; readonly log: Log },
): Store<T> {
  const listeners: ((change: StoreChange<T>) => void)[] = [];
  const tell = (change: StoreChange<T>): void => {
    for (const listener of listeners) listener(change);
  };
  const informer: Informer<T> = startInformer(client, resource, {
    ...options,
    onAdd: (object) => tell({ object, deleted: false }),
    onUpdate: (object, before) => tell({ object, before, deleted: false }),
    onDelete: (object) => tell({ object, deleted: true }),
  });
  return {
    resource,
    synced: informer.synced,
    get: (name, namespace) => informer.get(name, namespace),
    list: () => informer.list(),
    listen: (listener) => {
      listeners.push(listener);
    },
    index: (keysOf) => {
      const index = new Index(keysOf);
      for (const object of informer.list()) index.put(object);
      // In front of the others, so that a listener finds the change in the index already.
      listeners.unshift(({ object, before, deleted }) => {
        if (before !== undefined) index.drop(before);
        if (deleted) index.drop(object);
        else index.put(object);
      });
      return (key) => index.find(key);
    },
  };
}

class Index<T extends KubeObject> {
  readonly #keysOf: (object: T) => readonly string[];
  readonly #byKey = new Map<string, Map<string, T>>();

  constructor(keysOf: (object: T) => readonly string[]) {
    this.#keysOf = keysOf;
  }

  put(object: T): void {
    for (const key of this.#keysOf(object)) {
      let bucket = this.#byKey.get(key);
      if (bucket === undefined) {
        bucket = new Map();
        this.#byKey.set(key, bucket);
      }
      bucket.set(nameOf(object), object);
    }
  }

  drop(object: T): void {
    for (const key of this.#keysOf(object)) {
      const bucket = this.#byKey.get(key);
      bucket?.delete(nameOf(object));
      if (bucket?.size === 0) this.#byKey.delete(key);
    }
  }

  find(key: string): T[] {
    return [...(this.#byKey.get(key)?.values() ?? [])];
  }
}

const nameOf = (object: KubeObject): string => `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
