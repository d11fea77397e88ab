import { EniverseError } from "../../../base/error.ts";
import { equalJson, isObject, type Json } from "./json.ts";

interface Operation {
  readonly op: string;
  readonly path: string;
  readonly from?: string;
  readonly value?: Json;
}

/**
 * JSON Patch (RFC 6902). The target is not changed. Throws `invalid_argument`: a failed `test`, a path that
 * leads nowhere, an operation that is none.
 */
export function applyJsonPatch(target: Json, patch: unknown): Json {
  if (!Array.isArray(patch)) throw unusable("the patch is not a list of operations");
  let document = structuredClone(target);
  for (const operation of patch) {
    if (!isOperation(operation)) throw unusable(`no operation: ${JSON.stringify(operation)}`);
    document = applyOperation(document, operation);
  }
  return document;
}

function isOperation(value: unknown): value is Operation {
  return isObject(value) && typeof value.op === "string" && typeof value.path === "string";
}

function applyOperation(document: Json, operation: Operation): Json {
  const path = parsePointer(operation.path);
  switch (operation.op) {
    case "add":
      return add(document, path, givenValue(operation));
    case "replace":
      read(document, path);
      return path.length === 0
        ? givenValue(operation)
        : add(remove(document, path), path, givenValue(operation));
    case "remove":
      return remove(document, path);
    case "move": {
      const from = parsePointer(operation.from ?? "");
      const value = read(document, from);
      return add(remove(document, from), path, value);
    }
    case "copy":
      return add(document, path, structuredClone(read(document, parsePointer(operation.from ?? ""))));
    case "test":
      if (!equalJson(read(document, path), givenValue(operation))) {
        throw unusable(`testing value ${operation.path} failed`);
      }
      return document;
    default:
      throw unusable(`unexpected operation "${operation.op}"`);
  }
}

function givenValue(operation: Operation): Json {
  if (operation.value === undefined) throw unusable(`"${operation.op}" without a value`);
  return operation.value;
}

function parsePointer(text: string): string[] {
  if (text === "") return [];
  if (!text.startsWith("/")) throw unusable(`the path "${text}" does not begin with "/"`);
  return text
    .slice(1)
    .split("/")
    .map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
}

function read(document: Json, path: readonly string[]): Json {
  let value: Json | undefined = document;
  for (const step of path) {
    if (Array.isArray(value)) value = value[indexOf(step, value.length - 1)];
    else if (isObject(value)) value = Object.hasOwn(value, step) ? value[step] : undefined;
    else value = undefined;
    if (value === undefined) throw missing(path);
  }
  return value as Json;
}

function add(document: Json, path: readonly string[], value: Json): Json {
  const last = path.at(-1);
  if (last === undefined) return value;
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) {
    parent.splice(last === "-" ? parent.length : indexOf(last, parent.length), 0, value);
  } else if (isObject(parent)) {
    parent[last] = value;
  } else throw missing(path);
  return document;
}

function remove(document: Json, path: readonly string[]): Json {
  const last = path.at(-1);
  if (last === undefined) throw unusable("the whole document cannot be removed");
  read(document, path);
  const parent = read(document, path.slice(0, -1));
  if (Array.isArray(parent)) parent.splice(indexOf(last, parent.length - 1), 1);
  else if (isObject(parent)) delete parent[last];
  return document;
}

function indexOf(step: string, highest: number): number {
  const index = /^(0|[1-9]\d*)$/.test(step) ? Number(step) : -1;
  if (index < 0 || index > highest) throw unusable(`no element "${step}" in the list`);
  return index;
}

function missing(path: readonly string[]): EniverseError {
  return unusable(`the path "/${path.join("/")}" does not exist`);
}

function unusable(found: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: "apply the JSON patch", found });
}
