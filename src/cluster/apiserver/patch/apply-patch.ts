// Server-side apply without field ownership: what is given is set, what is not given stays. Lists merge by the same
// keys as in a strategic merge; lists without a key are replaced.

import { fieldShape } from "../schema/definitions.ts";
import type { ListShape, Shape } from "../schema/shape.ts";
import { equalJson, isObject, type Json, type JsonObject } from "./json.ts";

/** Sets the fields of `applied` in `target`; neither is changed. An undefined shape replaces every list. */
export function applyConfiguration(
  target: JsonObject,
  applied: JsonObject,
  shape: Shape | undefined,
): JsonObject {
  const merged: JsonObject = { ...target };
  for (const [name, value] of Object.entries(applied)) {
    const before = merged[name];
    const field = fieldShape(shape, name);
    if (isObject(value)) merged[name] = applyConfiguration(isObject(before) ? before : {}, value, field);
    else if (Array.isArray(value)) merged[name] = applyList(before, value, field);
    else merged[name] = value;
  }
  return merged;
}

function applyList(before: Json | undefined, applied: Json[], field: Shape | undefined): Json[] {
  const list: ListShape | undefined = field?.is === "list" ? field : undefined;
  const key = list?.mergeKey;
  if (list === undefined || key === undefined || !Array.isArray(before)) return applied;
  const merged = [...before];
  for (const element of applied) {
    const index = merged.findIndex((other) =>
      key === "*" || !isObject(element)
        ? equalJson(other, element)
        : isObject(other) && equalJson(other[key], element[key]),
    );
    const same = merged[index];
    if (same === undefined) merged.push(element);
    else if (isObject(same) && isObject(element)) merged[index] = applyConfiguration(same, element, list.of);
  }
  return merged;
}
