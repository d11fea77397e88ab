// What the server has to know of a kind of object to store it, check it and print it.
import type { KubeObject } from "../../kube/objects.ts";
import type { FieldError } from "./failures.ts";

/** An object on its way into the store. */
export type Draft = KubeObject & { [field: string]: unknown };

export type Cell = string | number | boolean | null;

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  readonly format?: "name";
  readonly description?: string;
  /** 0 is shown always, 1 only with `-o wide`. */
  readonly priority: number;
  readonly cell: (object: KubeObject, nowMs: number) => Cell;
}

export type Subresource =
  | "status"
  | "scale"
  | "log"
  | "exec"
  | "attach"
  | "portforward"
  | "binding"
  | "eviction"
  | "token";

/** What the hooks of a type may ask. */
export interface TypeContext {
  readonly nowMs: number;
  /** The stored state of any object; for admission that looks at others. */
  lookup(collection: string, namespace: string, name: string): KubeObject | undefined;
  all(collection: string): readonly KubeObject[];
  readonly random: { int(below: number): number };
  readonly serviceCidr: string;
}

export interface ResourceType {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly singular: string;
  readonly kind: string;
  readonly listKind: string;
  readonly namespaced: boolean;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  /** Where its objects are; several versions and groups may share one. */
  readonly collection: string;
  readonly subresources: readonly Subresource[];
  /** The form of names; DNS subdomain when absent. */
  readonly nameForm?: "label" | "path";
  /** Counts changes of its spec in `metadata.generation`. */
  readonly hasGeneration: boolean;
  /** Fields beside metadata.name and metadata.namespace that `fieldSelector` may name. */
  readonly selectableFields: readonly string[];
  readonly columns: readonly Column[];
  /** The name of its schema among the definitions; absent for custom resources, which bring their own. */
  readonly definition?: string;
  /** Fills in what is absent, at every write. */
  readonly defaults?: (draft: Draft) => void;
  /** Fills in what only a new object gets (allocated values, initial status). */
  readonly admitNew?: (draft: Draft, context: TypeContext) => void;
  /** Carries over what a write may not change, or follows from the change. */
  readonly admitUpdate?: (draft: Draft, before: KubeObject, context: TypeContext) => void;
  readonly validate?: (draft: Draft, before: KubeObject | undefined) => readonly FieldError[];
  /** Between the stored and the served form, where they differ. */
  readonly toServed?: (stored: KubeObject) => KubeObject;
  readonly toStored?: (served: Draft) => Draft;
  /** Of custom resources: the schema check and pruning of the served version. */
  readonly custom?: CustomType;
}

export interface CustomType {
  /** Drops unknown fields and fills in the schema's defaults. */
  prune(draft: Draft): void;
  validate(draft: Draft): readonly FieldError[];
  readonly scale?: {
    readonly replicasPath: string;
    readonly statusReplicasPath: string;
    readonly selectorPath?: string;
  };
  /** The schema, for the OpenAPI document. */
  readonly schema?: unknown;
}

export function apiVersionOfType(type: Pick<ResourceType, "group" | "version">): string {
  return type.group === "" ? type.version : `${type.group}/${type.version}`;
}

/** The parts of a type that most types share. */
export function resourceType(
  own: Pick<ResourceType, "group" | "version" | "plural" | "kind"> & Partial<ResourceType>,
): ResourceType {
  return {
    singular: own.kind.toLowerCase(),
    listKind: `${own.kind}List`,
    namespaced: true,
    shortNames: [],
    categories: [],
    collection: own.group === "" ? own.plural : `${own.plural}.${own.group}`,
    subresources: [],
    hasGeneration: false,
    selectableFields: [],
    columns: [],
    definition: own.kind,
    ...own,
  };
}
