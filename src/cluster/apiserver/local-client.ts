// The client for programs in the server's own process: no HTTP, the same refusals.
import type { KubeClient, ListOptions, WatchEvent } from "../../kube/client.ts";
import type { KubeObject, Resource } from "../../kube/objects.ts";
import { errorOfStatus, statusOf } from "../../kube/status-errors.ts";
import { serverVersion } from "./discovery.ts";
import { type Engine, servedObject } from "./engine.ts";
import { noSuchPath } from "./failures.ts";
import { patchObject } from "./patching.ts";
import { getObject, listObjects, selectionOf } from "./read.ts";
import { deleteObject } from "./remove.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";
import { bindPod } from "./subresources.ts";
import { podType } from "./types/pods.ts";
import { type SelectedChange, startWatch } from "./watching.ts";
import { createObject, replaceObject } from "./write.ts";

/** Everything that it gives out is the caller's own copy, and nothing that it takes is kept. */
export function createLocalClient(engine: Engine): KubeClient {
  const typeOf = (resource: Resource): ResourceType => {
    if (resource.group === "" && resource.plural === "bindings") return podType;
    const type = engine.registry.find(resource.group, resource.version, resource.plural);
    if (type === undefined) throw noSuchPath();
    return type;
  };
  const own = <T extends KubeObject>(type: ResourceType, stored: Stored): T =>
    (type.toServed === undefined
      ? JSON.parse(stored.json)
      : structuredClone(servedObject(type, stored))) as T;
  const spaceOf = (object: KubeObject): string => object.metadata.namespace ?? "";
  /** Does it, and says in a refusal what was attempted, as the client over HTTP does. */
  const doing = async <R>(
    verb: string,
    resource: Resource,
    name: string,
    act: (type: ResourceType) => R,
  ): Promise<R> => {
    try {
      return act(typeOf(resource));
    } catch (error) {
      const status = statusOf(error);
      if (status === undefined) throw error;
      throw errorOfStatus(`${verb} ${resource.plural} ${name}`.trimEnd(), status);
    }
  };

  return {
    get: (resource, name, namespace = "") =>
      doing("get", resource, name, (type) => own(type, getObject(engine, type, namespace, name))),
    list: (resource, options = {}) =>
      doing("list", resource, "", (type) => {
        const { items, revision } = listObjects(engine, type, selection(type, options));
        return { items: items.map((stored) => own(type, stored)), resourceVersion: String(revision) };
      }),
    watch: (resource, options) => watchLocally(engine, typeOf, own, resource, options),
    create: async (resource, object) => {
      const { name } = object.metadata;
      if (resource.group === "" && resource.plural === "bindings") {
        const bind = (): void => bindPod(engine, spaceOf(object), name, structuredClone(object));
        await doing("create", resource, name, bind);
        return object;
      }
      return doing("create", resource, name, (type) =>
        own(type, createObject(engine, type, spaceOf(object), structuredClone(object))),
      );
    },
    update: (resource, object) =>
      doing("update", resource, object.metadata.name, (type) =>
        own(
          type,
          replaceObject(engine, type, spaceOf(object), object.metadata.name, structuredClone(object)),
        ),
      ),
    updateStatus: (resource, object) =>
      doing("update the status of", resource, object.metadata.name, (type) => {
        const { name } = object.metadata;
        const body = structuredClone(object);
        return own(type, replaceObject(engine, type, spaceOf(object), name, body, { subresource: "status" }));
      }),
    patch: (resource, name, patch, options = {}) =>
      doing("patch", resource, name, (type) => {
        const { namespace = "", kind = "merge", subresource } = options;
        const more = subresource === undefined ? {} : { subresource };
        return own(type, patchObject(engine, type, namespace, name, kind, patch, more).stored);
      }),
    delete: (resource, name, options = {}) =>
      doing("delete", resource, name, (type) => {
        const { namespace = "", gracePeriodSeconds } = options;
        deleteObject(engine, type, namespace, name, {
          ...(gracePeriodSeconds !== undefined && { gracePeriodSeconds }),
        });
      }),
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
