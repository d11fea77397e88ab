// Who owns which field: metadata.managedFields. It is kept for objects that somebody has applied server-side; what
// such an object was before its first apply belongs to "before-first-apply", as in Kubernetes.
import type { ManagedFieldsEntry } from "../../kube/objects.ts";
import { applyConflict } from "./failures.ts";
import { applyConfiguration } from "./patch/apply-patch.ts";
import {
  changedFields,
  contested,
  type FieldTree,
  removeFields,
  treeOf,
  treeOfPath,
  union,
  without,
} from "./patch/field-tree.ts";
import { isObject, type Json, type JsonObject } from "./patch/json.ts";
import type { ResourceType } from "./resource-type.ts";
import { apiVersionOfType } from "./resource-type.ts";
import type { Shape } from "./schema/shape.ts";

/** Who writes, as `fieldManager` of the request names it. */
export interface Writer {
  readonly manager: string;
  readonly time: string;
}

const beforeFirstApply = "before-first-apply";

/** The fields that have owners: no status, no identity, nothing that the server itself keeps. */
function ownable(object: JsonObject): JsonObject {
  const { apiVersion: _, kind: __, status: ___, metadata, ...rest } = object;
  const { labels, annotations, finalizers, ownerReferences } = isObject(metadata) ? metadata : {};
  const kept = Object.fromEntries(
    Object.entries({ labels, annotations, finalizers, ownerReferences }).filter(
      ([, value]) => value !== undefined,
    ),
  ) as JsonObject;
  return Object.keys(kept).length === 0 ? rest : { metadata: kept, ...rest };
}

function shapeOf(type: ResourceType): Shape | undefined {
  return type.definition === undefined ? undefined : { is: "object", name: type.definition };
}

export interface Applied {
  readonly object: JsonObject;
  readonly managedFields: ManagedFieldsEntry[];
}

/**
 * Applies a configuration: its fields are set and are the manager's from now on; fields that it had applied before
 * and does not name any more go, unless others have them. Throws Conflict naming every field of others that would
 * change, unless `force` takes them over. `live` undefined: the object is new.
 */
export function applyOwned(
  type: ResourceType,
  live: JsonObject | undefined,
  applied: JsonObject,
  writer: Writer,
  force: boolean,
): Applied {
  const shape = shapeOf(type);
  const wanted = ownable(applied);
  const tree = treeOf(wanted, shape);
  if (live === undefined) return { object: applied, managedFields: [entryOf(type, writer, "Apply", tree)] };
  const entries = entriesOf(type, live, writer);
  const isOwn = (entry: ManagedFieldsEntry): boolean =>
    entry.manager === writer.manager && entry.operation === "Apply";
  const previous = entries.find(isOwn);
  let others = entries.filter((entry) => !isOwn(entry));
  const present = ownable(live);
  const conflicts = others.flatMap((entry) =>
    contested(wanted, present, fieldsOf(entry), shape).map((found) => ({ ...found, entry })),
  );
  if (conflicts.length > 0 && !force) {
    throw applyConflict(
      conflicts.map(({ path, entry: { manager, apiVersion } }) => ({ path, manager, apiVersion })),
    );
  }
  for (const { entry, members } of conflicts) {
    others = others.flatMap((other) =>
      other === entry || other.manager === entry.manager ? reduced(other, treeOfPath(members)) : [other],
    );
  }
  const dropped = previous === undefined ? undefined : without(fieldsOf(previous), tree);
  const base =
    dropped === undefined ? live : (removeFields(live, dropped, others.map(fieldsOf), shape) as JsonObject);
  const entry = entryOf(type, writer, "Apply", tree);
  const kept = previous !== undefined && sameFields(previous, entry) ? previous : entry;
  return { object: applyConfiguration(base, applied, shape), managedFields: [...others, kept] };
}

/** What another write makes of the owners: changed fields are its own. Undefined where nobody has applied. */
export function ownersAfterUpdate(
  type: ResourceType,
  before: JsonObject,
  after: JsonObject,
  writer: Writer,
): ManagedFieldsEntry[] | undefined {
  const entries = managedFieldsOf(before);
  if (entries.length === 0) return undefined;
  const shape = shapeOf(type);
  const [old, now] = [ownable(before), ownable(after)];
  const changed = changedFields(old, now, shape);
  if (changed === undefined) return [...entries];
  const isOwn = (entry: ManagedFieldsEntry): boolean =>
    entry.manager === writer.manager && entry.operation === "Update";
  const others = entries.filter((entry) => !isOwn(entry)).flatMap((entry) => reduced(entry, changed));
  const previous = entries.find(isOwn);
  const all = treeOf(now, shape);
  // What is gone has no owner.
  const own = intersection(union(previous === undefined ? {} : fieldsOf(previous), changed), all);
  return Object.keys(own).length === 0 ? others : [...others, entryOf(type, writer, "Update", own)];
}

function intersection(a: FieldTree, b: FieldTree): FieldTree {
  const both: FieldTree = {};
  for (const [member, inner] of Object.entries(a)) {
    const other = b[member];
    if (other === undefined) continue;
    const isLeaf = Object.keys(inner).length === 0;
    const shared = isLeaf ? inner : intersection(inner, other);
    if (isLeaf || Object.keys(shared).length > 0) both[member] = shared;
  }
  return both;
}

function entriesOf(type: ResourceType, live: JsonObject, writer: Writer): ManagedFieldsEntry[] {
  const entries = managedFieldsOf(live);
  if (entries.length > 0) return [...entries];
  const tree = treeOf(ownable(live), shapeOf(type));
  return [entryOf(type, { ...writer, manager: beforeFirstApply }, "Update", tree)];
}

function managedFieldsOf(object: JsonObject): readonly ManagedFieldsEntry[] {
  const { managedFields } = isObject(object.metadata) ? object.metadata : {};
  return Array.isArray(managedFields) ? (managedFields as unknown as ManagedFieldsEntry[]) : [];
}

/** Without the fields; nothing when none stays. */
function reduced(entry: ManagedFieldsEntry, gone: FieldTree): ManagedFieldsEntry[] {
  const rest = without(fieldsOf(entry), gone);
  return rest === undefined ? [] : [{ ...entry, fieldsV1: rest }];
}

const fieldsOf = (entry: ManagedFieldsEntry): FieldTree => entry.fieldsV1 as FieldTree;
const sameFields = (a: ManagedFieldsEntry, b: ManagedFieldsEntry): boolean =>
  without(fieldsOf(a), fieldsOf(b)) === undefined && without(fieldsOf(b), fieldsOf(a)) === undefined;

function entryOf(
  type: ResourceType,
  { manager, time }: Writer,
  operation: ManagedFieldsEntry["operation"],
  tree: FieldTree,
): ManagedFieldsEntry {
  return {
    manager,
    operation,
    apiVersion: apiVersionOfType(type),
    time,
    fieldsType: "FieldsV1",
    fieldsV1: tree,
  };
}

/** For {@link Json} values that are objects by their type. */
export const asJson = (value: unknown): JsonObject => value as Json as JsonObject;
