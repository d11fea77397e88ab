// Strategic merge patch: a merge patch that knows by which key the elements of a list are the same.
// Directives: "$patch" (replace, delete, merge), "$setElementOrder/FIELD", "$deleteFromPrimitiveList/FIELD",
// "$retainKeys" (Kubernetes, apimachinery strategicpatch).
import { EniverseError } from "../../../base/error.ts";
import { fieldShape } from "../schema/definitions.ts";
import type { ListShape, Shape } from "../schema/shape.ts";
import { equalJson, isObject, type Json, type JsonObject } from "./json.ts";

const orderPrefix = "$setElementOrder/";
const deletionPrefix = "$deleteFromPrimitiveList/";

/** Applies the patch to an object of the given shape; neither argument is changed. Throws `invalid_argument`. */
export function applyStrategicMerge(target: JsonObject, patch: JsonObject, shape: Shape): JsonObject {
  if (patch.$patch === "delete") return {};
  if (patch.$patch === "replace") return withoutDirectives(patch) as JsonObject;
  const merged: JsonObject = { ...target };
  for (const [name, value] of Object.entries(patch)) {
    if (name.startsWith("$")) continue;
    const field = fieldShape(shape, name);
    if (value === null) delete merged[name];
    else if (isObject(value)) {
      const before = merged[name];
      if (isObject(before)) merged[name] = applyStrategicMerge(before, value, field ?? anyShape);
      else merged[name] = withoutDirectives(value);
    } else if (Array.isArray(value)) {
      merged[name] = mergeList(merged[name], value, field, name);
    } else merged[name] = value;
  }
  deleteFromLists(merged, patch);
  reorderLists(merged, patch, shape);
  const kept = patch.$retainKeys;
  if (Array.isArray(kept)) {
    for (const name of Object.keys(merged)) if (!kept.includes(name)) delete merged[name];
  }
  return merged;
}

const anyShape: Shape = { is: "scalar", scalar: "any" };

function mergeList(before: Json | undefined, patch: Json[], field: Shape | undefined, name: string): Json[] {
  const list = field?.is === "list" ? field : undefined;
  if (list?.mergeKey === undefined) return patch.map(withoutDirectives);
  const old = Array.isArray(before) ? before : [];
  if (list.mergeKey === "*") {
    return [...old, ...patch.filter((element) => !old.some((other) => equalJson(other, element)))];
  }
  return mergeByKey(old, patch, list, list.mergeKey, name);
}

function mergeByKey(old: Json[], patch: Json[], list: ListShape, key: string, name: string): Json[] {
  const replaces = patch.some((element) => isObject(element) && element.$patch === "replace");
  let merged: Json[] = replaces ? [] : [...old];
  for (const element of patch) {
    if (!isObject(element)) throw unusable(`an element of ${name} is no object`);
    if (element.$patch === "replace" && Object.keys(element).length === 1) continue;
    const id = element[key];
    if (id === undefined) throw unusable(`an element of ${name} has no ${key}, which is its merge key`);
    if (element.$patch === "delete") {
      merged = merged.filter((other) => !hasKey(other, key, id));
      continue;
    }
    const index = merged.findIndex((other) => hasKey(other, key, id));
    const same = merged[index];
    if (isObject(same)) merged[index] = applyStrategicMerge(same, element, list.of);
    else merged.push(withoutDirectives(element));
  }
  return merged;
}

function hasKey(element: Json, key: string, id: Json): boolean {
  return isObject(element) && equalJson(element[key], id);
}

function deleteFromLists(merged: JsonObject, patch: JsonObject): void {
  for (const [directive, unwanted] of Object.entries(patch)) {
    if (!directive.startsWith(deletionPrefix)) continue;
    const name = directive.slice(deletionPrefix.length);
    const list = merged[name];
    if (!Array.isArray(list) || !Array.isArray(unwanted)) continue;
    merged[name] = list.filter((element) => !unwanted.some((other) => equalJson(other, element)));
  }
}

function reorderLists(merged: JsonObject, patch: JsonObject, shape: Shape): void {
  for (const [directive, order] of Object.entries(patch)) {
    if (!directive.startsWith(orderPrefix) || !Array.isArray(order)) continue;
    const name = directive.slice(orderPrefix.length);
    const list = merged[name];
    const field = fieldShape(shape, name);
    if (!Array.isArray(list) || field?.is !== "list" || field.mergeKey === undefined) continue;
    merged[name] = inOrder(list, order, field.mergeKey);
  }
}

/**
 * The elements that the order names stand in that order; others keep their place relative to the element before
 * them, as the server-side merge does.
 */
function inOrder(list: Json[], order: Json[], key: string): Json[] {
  const idOf = (element: Json): Json | undefined =>
    key === "*" ? element : isObject(element) ? element[key] : undefined;
  const rankOf = (element: Json): number =>
    order.findIndex((other) => equalJson(key === "*" ? other : idOf(other), idOf(element)));
  const sorted = list.filter((element) => rankOf(element) >= 0).sort((a, b) => rankOf(a) - rankOf(b));
  const result: Json[] = [];
  let next = 0;
  for (const element of list) {
    if (rankOf(element) < 0) result.push(element);
    else {
      const wanted = sorted[next++];
      if (wanted !== undefined) result.push(wanted);
    }
  }
  return result;
}

/** What a patch adds must not carry its directives into the object. */
function withoutDirectives(value: Json): Json {
  if (Array.isArray(value)) {
    return value.filter((each) => !(isObject(each) && each.$patch === "delete")).map(withoutDirectives);
  }
  if (!isObject(value)) return value;
  const plain: JsonObject = {};
  for (const [name, inner] of Object.entries(value)) {
    if (name === "$patch" || name === "$retainKeys") continue;
    if (name.startsWith(orderPrefix) || name.startsWith(deletionPrefix)) continue;
    if (inner !== null) plain[name] = withoutDirectives(inner);
  }
  return plain;
}

function unusable(found: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: "apply the strategic merge patch", found });
}
