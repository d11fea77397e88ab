// Which resource, object and subresource a path means.
import type { Registry } from "../registry.ts";
import type { ResourceType } from "../resource-type.ts";

export interface Target {
  readonly type: ResourceType;
  /** "" at cluster scope and for all namespaces. */
  readonly namespace: string;
  /** "" for the collection. */
  readonly name: string;
  /** "" for the object itself. */
  readonly subresource: string;
}

export interface ResourcePath {
  readonly group: string;
  readonly version: string;
  readonly namespace: string;
  readonly plural: string;
  readonly name: string;
  readonly subresource: string;
}

/** Undefined for paths that are not of a resource. */
export function parseResourcePath(path: string): ResourcePath | undefined {
  const parts = path.split("/").slice(1).map(decodeURIComponent);
  if (parts.at(-1) === "") parts.pop();
  const isCore = parts[0] === "api";
  if (!isCore && parts[0] !== "apis") return undefined;
  const group = isCore ? "" : (parts[1] ?? "");
  const [version = "", ...rest] = parts.slice(isCore ? 1 : 2);
  if (rest.length === 0 || rest.includes("")) return undefined;
  // "/namespaces/NAME" is the namespace itself; its subresources are no resources.
  const isScoped =
    rest[0] === "namespaces" &&
    rest.length > 2 &&
    !(isCore && ["status", "finalize"].includes(rest[2] ?? ""));
  const [plural = "", name = "", ...below] = isScoped ? rest.slice(2) : rest;
  if (below.length > 1) return undefined;
  return {
    group,
    version,
    namespace: isScoped ? (rest[1] ?? "") : "",
    plural,
    name,
    subresource: below[0] ?? "",
  };
}

/** Undefined when there is no such resource, or it is not reached at that scope. */
export function findTarget(registry: Registry, path: ResourcePath): Target | undefined {
  const type = registry.find(path.group, path.version, path.plural);
  if (type === undefined) return undefined;
  if (!type.namespaced && path.namespace !== "") return undefined;
  // An object of a namespace is only found in it; the collection is also there for all namespaces.
  if (type.namespaced && path.namespace === "" && path.name !== "") return undefined;
  const { namespace, name, subresource } = path;
  return { type, namespace, name, subresource };
}
