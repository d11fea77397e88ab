// The room `kube/`: Kubernetes' words and how to talk to a cluster. `objects.ts` and `resources.ts` hold the object
// types and which collections there are, `selectors.ts` labels and fields, this file the port that programs are
// written against. `fetch-client.ts` implements it over HTTP (the API server's own process has another one),
// `informer.ts` keeps a local copy of a collection, `kubeconfig.ts` and `in-cluster.ts` say where a cluster is, and
// `status-errors.ts` turns its refusals into coded errors.
import type { KubeObject, Resource } from "./objects.ts";

export interface ListOptions {
  readonly namespace?: string;
  /** As kubectl writes it: "app=web,tier!=db". */
  readonly labelSelector?: string;
  /** As kubectl writes it: "spec.nodeName=ip-10-0-1-5". */
  readonly fieldSelector?: string;
}

export type WatchEvent<T extends KubeObject> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly resourceVersion: string };

export type PatchKind = "merge" | "strategic" | "json";

/**
 * A Kubernetes API client. Failures are `EniverseError`s: `not_found`, `already_exists`, `conflict` (stale
 * resourceVersion), `invalid_argument`, `permission_denied`, `unavailable` (no answer), each with
 * `parts.facts.status` = the HTTP status.
 */
export interface KubeClient {
  get<T extends KubeObject>(resource: Resource<T>, name: string, namespace?: string): Promise<T>;
  list<T extends KubeObject>(
    resource: Resource<T>,
    options?: ListOptions,
  ): Promise<{ readonly items: T[]; readonly resourceVersion: string }>;
  /** One watch connection, from `resourceVersion`; ends when the server ends it or `signal` aborts. */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    options: ListOptions & { readonly resourceVersion: string; readonly signal?: AbortSignal },
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T>;
  /** Replaces; the object's resourceVersion must be current. */
  update<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T>;
  updateStatus<T extends KubeObject>(resource: Resource<T>, object: T): Promise<T>;
  patch<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    patch: unknown,
    options?: { readonly namespace?: string; readonly kind?: PatchKind; readonly subresource?: "status" },
  ): Promise<T>;
  delete<T extends KubeObject>(
    resource: Resource<T>,
    name: string,
    options?: { readonly namespace?: string; readonly gracePeriodSeconds?: number },
  ): Promise<void>;
  /** GET /version; rejects when the server does not answer. */
  version(): Promise<{ readonly gitVersion: string }>;
}
