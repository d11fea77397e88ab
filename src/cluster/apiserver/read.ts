// get and list.
import { EniverseError } from "../../base/error.ts";
import type { KubeObject } from "../../kube/objects.ts";
import {
  type FieldRequirement,
  type LabelRequirement,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
} from "../../kube/selectors.ts";
import { type Engine, servedObject } from "./engine.ts";
import { badRequest, continueExpired, notFound } from "./failures.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";

/** Which objects of a collection are wanted. */
export interface Selection {
  readonly namespace: string;
  readonly labels: readonly LabelRequirement[];
  readonly fields: readonly FieldRequirement[];
}

/** Throws BadRequest for a selector that cannot be read, or that names a field that is not indexed. */
export function selectionOf(
  type: ResourceType,
  namespace: string,
  labelSelector = "",
  fieldSelector = "",
): Selection {
  try {
    const fields = parseFieldSelector(fieldSelector);
    const known = ["metadata.name", "metadata.namespace", ...type.selectableFields];
    const strange = fields.find(({ path }) => !known.includes(path));
    if (strange !== undefined) throw badRequest(`field label not supported: ${strange.path}`);
    return { namespace, labels: parseLabelSelector(labelSelector), fields };
  } catch (error) {
    if (error instanceof EniverseError && error.parts.facts?.status === undefined) {
      throw badRequest(`unable to parse requirement: ${error.parts.found ?? error.message}`);
    }
    throw error;
  }
}

export function isSelected(type: ResourceType, selection: Selection, stored: Stored): boolean {
  const { object } = stored;
  if (selection.namespace !== "" && object.metadata.namespace !== selection.namespace) return false;
  if (!matchesLabels(selection.labels, object.metadata.labels)) return false;
  return selection.fields.length === 0 || matchesFields(selection.fields, withFieldDefaults(type, stored));
}

/** Absent booleans are selected as "false". */
function withFieldDefaults(type: ResourceType, stored: Stored): KubeObject {
  const object = servedObject(type, stored) as KubeObject & { spec?: Record<string, unknown> };
  if (type.kind === "Node")
    return { ...object, spec: { unschedulable: false, ...object.spec } } as KubeObject;
  if (type.kind === "Pod") return { ...object, spec: { hostNetwork: false, ...object.spec } } as KubeObject;
  return object;
}

/** Throws NotFound. */
export function getObject(engine: Engine, type: ResourceType, namespace: string, name: string): Stored {
  const stored = engine.store.get(type.collection, namespace, name);
  if (stored === undefined) throw notFound(type, name);
  return stored;
}

export interface ListPage {
  readonly items: readonly Stored[];
  readonly revision: number;
  /** Asks for the next page; absent on the last one. */
  readonly continueToken?: string;
  readonly remaining?: number;
}

/**
 * The selected objects, by pages of `limit` (0: all in one). Later pages are read from the state of their own time;
 * a page token outlives as many writes as the history does, then 410 tells the client to begin anew.
 */
export function listObjects(
  engine: Engine,
  type: ResourceType,
  selection: Selection,
  limit = 0,
  continueToken = "",
): ListPage {
  const { store } = engine;
  const revision = store.revision();
  const all = store
    .list(type.collection, selection.namespace)
    .filter((stored) => isSelected(type, selection, stored));
  const after = continueToken === "" ? undefined : readToken(engine, type, continueToken);
  const rest = after === undefined ? all : all.filter((stored) => orderOf(stored) > after.last);
  const items = limit > 0 ? rest.slice(0, limit) : rest;
  const last = items.at(-1);
  if (items.length === rest.length || last === undefined) {
    return { items, revision: after?.revision ?? revision };
  }
  const token = { v: "meta.k8s.io/v1", rv: after?.revision ?? revision, last: orderOf(last) };
  return {
    items,
    revision: token.rv,
    continueToken: Buffer.from(JSON.stringify(token)).toString("base64url"),
    // With a selector nobody knows how many would follow.
    ...(selection.labels.length + selection.fields.length === 0 && { remaining: rest.length - items.length }),
  };
}

function orderOf({ object }: Stored): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name}`;
}

function readToken(engine: Engine, type: ResourceType, text: string): { revision: number; last: string } {
  try {
    const { rv, last } = JSON.parse(Buffer.from(text, "base64url").toString()) as Record<string, unknown>;
    if (typeof rv !== "number" || typeof last !== "string") throw new SyntaxError("fields are missing");
    if (engine.store.hasHistoryAfter(rv)) return { revision: rv, last };
  } catch (error) {
    if (error instanceof SyntaxError) throw badRequest(`continue key is not valid: ${type.plural}`);
    throw error;
  }
  throw continueExpired();
}
