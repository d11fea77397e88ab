// A local copy of a collection that keeps itself up to date: list, then watch; list again when the server has
// forgotten the revision or the connection broke. Callbacks see every object once per state that was observed.
import { type Clock, realClock } from "../base/clock.ts";
import { messageOf } from "../base/error.ts";
import { type Log, noLog } from "../base/log.ts";
import type { KubeClient, ListOptions } from "./client.ts";
import type { KubeObject, Resource } from "./objects.ts";
import { isExpired } from "./status-errors.ts";

export interface InformerOptions<T extends KubeObject> extends ListOptions {
  readonly onAdd?: (object: T) => void;
  readonly onUpdate?: (object: T, before: T) => void;
  /** Gets the last state that was seen. */
  readonly onDelete?: (object: T) => void;
  /** After every change of the copy, and once when the first list is in. */
  readonly onChange?: () => void;
  /** Ends the informer. */
  readonly signal?: AbortSignal;
  readonly clock?: Clock;
  readonly log?: Log;
}

export interface Informer<T extends KubeObject> {
  /** Resolves when the first list is in the copy; rejects only when the informer is stopped before. */
  readonly synced: Promise<void>;
  isSynced(): boolean;
  get(name: string, namespace?: string): T | undefined;
  /** The copy's objects. They are shared: don't change them. */
  list(): T[];
  stop(): void;
}

const firstRetryMs = 100;
const longestRetryMs = 5_000;

/** Starts at once; failures are logged and tried again after 0.1 s, doubling to 5 s. */
export function startInformer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  options: InformerOptions<T> = {},
): Informer<T> {
  const stopping = new AbortController();
  if (options.signal?.aborted) stopping.abort(options.signal.reason);
  options.signal?.addEventListener("abort", () => stopping.abort(options.signal?.reason), { once: true });
  const copy = new Map<string, T>();
  const first = Promise.withResolvers<void>();
  first.promise.catch(() => {});
  let isSynced = false;

  const put = (object: T): void => {
    const key = keyOf(object.metadata.name, object.metadata.namespace);
    const before = copy.get(key);
    if (before?.metadata.uid === object.metadata.uid && before !== undefined) {
      if (before.metadata.resourceVersion === object.metadata.resourceVersion) return;
      copy.set(key, object);
      options.onUpdate?.(object, before);
    } else {
      // The same name with another uid: the old one was deleted unseen.
      if (before !== undefined) options.onDelete?.(before);
      copy.set(key, object);
      options.onAdd?.(object);
    }
    if (isSynced) options.onChange?.();
  };
  const drop = (object: T): void => {
    const before = copy.get(keyOf(object.metadata.name, object.metadata.namespace));
    if (before === undefined) return;
    copy.delete(keyOf(object.metadata.name, object.metadata.namespace));
    options.onDelete?.(object);
    if (isSynced) options.onChange?.();
  };

  const list = async (): Promise<string> => {
    const { items, resourceVersion } = await client.list(resource, selectionOf(options));
    const present = new Set(items.map((item) => keyOf(item.metadata.name, item.metadata.namespace)));
    for (const [key, object] of [...copy]) if (!present.has(key)) drop(object);
    for (const item of items) put(item);
    if (!isSynced) {
      isSynced = true;
      first.resolve();
      options.onChange?.();
    }
    return resourceVersion;
  };

  const follow = async (from: string): Promise<string> => {
    let resourceVersion = from;
    const watching = { ...selectionOf(options), resourceVersion, signal: stopping.signal };
    for await (const event of client.watch(resource, watching)) {
      if (event.type === "BOOKMARK") resourceVersion = event.resourceVersion;
      else {
        resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
        if (event.type === "DELETED") drop(event.object);
        else put(event.object);
      }
    }
    return resourceVersion;
  };

  const clock = options.clock ?? realClock;
  const log = options.log ?? noLog;
  const run = async (): Promise<void> => {
    let resourceVersion: string | undefined;
    let retryMs = firstRetryMs;
    while (!stopping.signal.aborted) {
      try {
        resourceVersion ??= await list();
        const before = resourceVersion;
        resourceVersion = await follow(resourceVersion);
        // A watch that ends at once without news must not be asked for in a tight loop.
        if (resourceVersion !== before) retryMs = firstRetryMs;
      } catch (error) {
        if (stopping.signal.aborted) break;
        log("warn", "watch failed", { resource: resource.plural, error: messageOf(error) });
        resourceVersion = undefined;
        if (isExpired(error)) continue;
      }
      await clock.sleep(retryMs, stopping.signal).catch(() => {});
      retryMs = Math.min(retryMs * 2, longestRetryMs);
    }
    first.reject(stopping.signal.reason);
  };
  void run();

  return {
    synced: first.promise,
    isSynced: () => isSynced,
    get: (name, namespace) => copy.get(keyOf(name, namespace)),
    list: () => [...copy.values()],
    stop: () => stopping.abort(new DOMException("informer stopped", "AbortError")),
  };
}

function keyOf(name: string, namespace: string | undefined): string {
  return `${namespace ?? ""}/${name}`;
}

function selectionOf(options: ListOptions): ListOptions {
  return {
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    ...(options.labelSelector !== undefined && { labelSelector: options.labelSelector }),
    ...(options.fieldSelector !== undefined && { fieldSelector: options.fieldSelector }),
  };
}
