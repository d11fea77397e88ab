// The server's side of `kubectl get`: meta/v1 Table.
import type { KubeObject } from "../../kube/objects.ts";
import { servedObject } from "./engine.ts";
import type { ListPage } from "./read.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";

export interface TableOptions {
  /** "v1", or "v1beta1" for old clients. */
  readonly version: string;
  /** How much of each object its row carries. */
  readonly include: "None" | "Metadata" | "Object";
  readonly nowMs: number;
}

/** `page` gives the list's metadata; without the columns when the client has them from an earlier event. */
export function tableOf(
  type: ResourceType,
  items: readonly Stored[],
  options: TableOptions,
  more: {
    readonly page?: ListPage;
    readonly withoutColumns?: boolean;
    readonly resourceVersion?: string;
  } = {},
): unknown {
  const columns = type.columns.map(({ name, type: cells, format = "", description = "", priority }) => ({
    name,
    type: cells,
    format,
    description,
    priority,
  }));
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${options.version}`,
    metadata:
      more.page === undefined ? { resourceVersion: more.resourceVersion ?? "" } : listMetadata(more.page),
    columnDefinitions: more.withoutColumns === true ? null : columns,
    rows: items.map((stored) => rowOf(type, stored, options)),
  };
}

function rowOf(type: ResourceType, stored: Stored, { include, nowMs, version }: TableOptions): unknown {
  const object = servedObject(type, stored);
  return {
    cells: type.columns.map((column) => column.cell(object, nowMs)),
    object: include === "None" ? null : include === "Object" ? object : metadataOnly(object, version),
  };
}

/** The object's metadata as an object of its own. */
export function metadataOnly(object: KubeObject, version = "v1"): unknown {
  return {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: object.metadata,
  };
}

/** meta/v1 ListMeta of a page. */
export function listMetadata({ revision, continueToken, remaining }: ListPage): Record<string, unknown> {
  return {
    resourceVersion: String(revision),
    ...(continueToken !== undefined && { continue: continueToken }),
    ...(remaining !== undefined && { remainingItemCount: remaining }),
  };
}
