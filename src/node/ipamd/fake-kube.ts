import { EniverseError } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeObject } from "../../kube/objects.ts";

/** For tests of this room: objects by kind and name. Patches with a stale revision are refused. */
export class FakeKube {
  readonly patches: unknown[] = [];
  readonly created: KubeObject[] = [];
  readonly #objects = new Map<string, KubeObject>();
  readonly #watchers = new Set<(object: KubeObject) => void>();

  constructor(objects: readonly KubeObject[] = []) {
    for (const object of objects) this.put(object);
  }

  /** Stores an object under a new revision; watches see it. */
  put<T extends KubeObject>(object: T): T {
    const key = `${object.kind}/${object.metadata.name}`;
    const revision = Number(this.#objects.get(key)?.metadata.resourceVersion ?? 0) + 1;
    const stored = {
      ...object,
      metadata: { uid: key, ...object.metadata, resourceVersion: String(revision) },
    };
    this.#objects.set(key, stored);
    for (const watcher of this.#watchers) watcher(stored);
    return stored;
  }

  get<T extends KubeObject>(kind: T["kind"], name: string): T {
    const found = this.#objects.get(`${kind}/${name}`);
    if (found === undefined) throw new EniverseError("not_found", { attempted: `get ${kind} ${name}` });
    return structuredClone(found) as T;
  }

  /** What of a client ipamd uses. */
  readonly client: KubeClient = {
    version: async () => ({ gitVersion: "v1.34.0" }),
    get: async (resource, name) => this.get(resource.kind, name),
    list: async <T extends KubeObject>(resource: { readonly kind: string }) => ({
      items: [...this.#objects.values()].filter(({ kind }) => kind === resource.kind) as T[],
      resourceVersion: "1",
    }),
    watch: <T extends KubeObject>(
      resource: { readonly kind: string },
      options: { readonly signal?: AbortSignal },
    ) => this.#watch<T>(resource.kind, options.signal),
    create: async (_resource, object) => {
      this.created.push(object);
      return object;
    },
    patch: async <T extends KubeObject>(
      resource: { readonly kind: string },
      name: string,
      patch: unknown,
    ) => {
      const object = this.get<T>(resource.kind, name);
      const { metadata, ...rest } = patch as Partial<KubeObject>;
      if (metadata?.resourceVersion !== object.metadata.resourceVersion)
        throw new EniverseError("conflict", { attempted: `patch ${name}` });
      this.patches.push(patch);
      const annotations = { ...object.metadata.annotations, ...metadata?.annotations };
      return this.put({ ...object, ...rest, metadata: { ...object.metadata, annotations } } as T);
    },
    update: () => Promise.reject(unused()),
    updateStatus: () => Promise.reject(unused()),
    delete: () => Promise.reject(unused()),
  };

  async *#watch<T extends KubeObject>(kind: string, signal: AbortSignal | undefined) {
    const seen: KubeObject[] = [];
    let wake = (): void => {};
    const watcher = (object: KubeObject): void => {
      seen.push(object);
      wake();
    };
    this.#watchers.add(watcher);
    signal?.addEventListener("abort", () => wake());
    while (!signal?.aborted) {
      for (const object of seen.splice(0))
        if (object.kind === kind) yield { type: "MODIFIED" as const, object: object as T };
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    this.#watchers.delete(watcher);
  }
}

function unused(): EniverseError {
  return new EniverseError("unsupported", { attempted: "use this verb in a test" });
}
