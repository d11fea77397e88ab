// The client for programs in the server's own process: no HTTP, the same refusals.
import type { KubeClient, ListOptions, WatchEvent } from "../../kube/client.ts";
import type { KubeObject, Resource } from "../../kube/objects.ts";
import type { Binding } from "../../kube/resources.ts";
import { serverVersion } from "./discovery.ts";
import { type Engine, servedObject } from "./engine.ts";
import { noSuchPath } from "./failures.ts";
import { patchObject } from "./patching.ts";
import { getObject, listObjects, selectionOf } from "./read.ts";
import { deleteObject } from "./remove.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";
import { bindPod } from "./subresources.ts";
import { type SelectedChange, startWatch } from "./watching.ts";
import { createObject, replaceObject } from "./write.ts";

/** Everything that it gives out is the caller's own copy, and nothing that it takes is kept. */
export function createLocalClient(engine: Engine): KubeClient {
  const typeOf = (resource: Resource): ResourceType => {
    const type = engine.registry.find(resource.group, resource.version, resource.plural);
    if (type === undefined) throw noSuchPath();
    return type;
  };
  const own = <T extends KubeObject>(type: ResourceType, stored: Stored): T =>
    (type.toServed === undefined
      ? JSON.parse(stored.json)
      : structuredClone(servedObject(type, stored))) as T;
  const spaceOf = (object: KubeObject): string => object.metadata.namespace ?? "";

  return {
    get: async (resource, name, namespace = "") => {
      const type = typeOf(resource);
      return own(type, getObject(engine, type, namespace, name));
    },
    list: async (resource, options = {}) => {
      const type = typeOf(resource);
      const { items, revision } = listObjects(engine, type, selection(type, options));
      return { items: items.map((stored) => own(type, stored)), resourceVersion: String(revision) };
    },
    watch: (resource, options) => watchLocally(engine, typeOf, own, resource, options),
    create: async (resource, object) => {
      if (resource.group === "" && resource.plural === "bindings") {
        bindPod(engine, spaceOf(object), object.metadata.name, structuredClone(object as unknown as Binding));
        return object;
      }
      const type = typeOf(resource);
      return own(type, createObject(engine, type, spaceOf(object), structuredClone(object)));
    },
    update: async (resource, object) => {
      const type = typeOf(resource);
      const { name } = object.metadata;
      return own(type, replaceObject(engine, type, spaceOf(object), name, structuredClone(object)));
    },
    updateStatus: async (resource, object) => {
      const type = typeOf(resource);
      const { name } = object.metadata;
      const body = structuredClone(object);
      return own(type, replaceObject(engine, type, spaceOf(object), name, body, { subresource: "status" }));
    },
    patch: async (resource, name, patch, options = {}) => {
      const type = typeOf(resource);
      const { namespace = "", kind = "merge", subresource } = options;
      const more = subresource === undefined ? {} : { subresource };
      return own(type, patchObject(engine, type, namespace, name, kind, patch, more).stored);
    },
    delete: async (resource, name, options = {}) => {
      const { namespace = "", gracePeriodSeconds } = options;
      deleteObject(engine, typeOf(resource), namespace, name, {
        ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
      });
    },
    version: async () => serverVersion,
  };
}

function selection(type: ResourceType, options: ListOptions) {
  return selectionOf(type, options.namespace ?? "", options.labelSelector, options.fieldSelector);
}

async function* watchLocally<T extends KubeObject>(
  engine: Engine,
  typeOf: (resource: Resource) => ResourceType,
  own: <O extends KubeObject>(type: ResourceType, stored: Stored) => O,
  resource: Resource<T>,
  options: ListOptions & { readonly resourceVersion: string; readonly signal?: AbortSignal },
): AsyncIterable<WatchEvent<T>> {
  const { signal } = options;
  const type = typeOf(resource);
  let queue: SelectedChange[] = [];
  let wake = (): void => {};
  const watch = startWatch(engine, type, selection(type, options), options.resourceVersion, (change) => {
    queue.push(change);
    wake();
  });
  queue = [...watch.backlog, ...queue];
  const onAbort = (): void => wake();
  const isOver = (): boolean => signal?.aborted === true;
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    while (!isOver()) {
      const batch = queue;
      queue = [];
      for (const { type: event, stored } of batch) {
        if (isOver()) return;
        yield { type: event, object: own(type, stored) };
      }
      if (queue.length > 0) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (isOver()) resolve();
      });
      wake = () => {};
    }
  } finally {
    signal?.removeEventListener("abort", onAbort);
    watch.stop();
  }
}
