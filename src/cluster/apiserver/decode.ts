// From a request's body to a draft: right kind, right types, no unknown fields.
import { badRequest } from "./failures.ts";
import { isObject } from "./patch/json.ts";
import { apiVersionOfType, type Draft, type ResourceType } from "./resource-type.ts";
import { definition } from "./schema/definitions.ts";
import type { ObjectShape, Scalar, Shape } from "./schema/shape.ts";

export interface Decoded {
  readonly draft: Draft;
  /** The paths of fields that the type does not have; they are dropped. */
  readonly unknown: readonly string[];
}

type Decodable = Pick<ResourceType, "group" | "version" | "kind"> & Partial<Pick<ResourceType, "definition">>;

/** The body is taken over and changed. Throws BadRequest. */
export function decodeObject(type: Decodable, body: unknown): Decoded {
  if (!isObject(body)) throw badRequest("the object provided is unrecognized (must be of type Object)");
  const apiVersion = apiVersionOfType(type);
  const found = { apiVersion: body.apiVersion ?? apiVersion, kind: body.kind ?? type.kind };
  if (found.apiVersion !== apiVersion || found.kind !== type.kind) {
    throw badRequest(
      `${found.kind} in version "${found.apiVersion}" cannot be handled as a ${type.kind}: the API version in the data (${found.apiVersion}) does not match the expected API version (${apiVersion})`,
    );
  }
  const unknown: string[] = [];
  const walk: Walk = { type, unknown };
  if (type.definition !== undefined) decodeFields(body, definition(type.definition), "", walk);
  else {
    const metadata = body.metadata;
    if (metadata !== undefined && metadata !== null) {
      decodeValue(metadata, { is: "object", name: "ObjectMeta" }, "metadata", type.kind, walk);
    }
  }
  const draft = { ...body, apiVersion, kind: type.kind, metadata: body.metadata ?? {} };
  return { draft: draft as unknown as Draft, unknown };
}

interface Walk {
  readonly type: Decodable;
  readonly unknown: string[];
}

function decodeFields(body: Record<string, unknown>, shape: ObjectShape, path: string, walk: Walk): void {
  for (const name of Object.keys(body)) {
    const at = path === "" ? name : `${path}.${name}`;
    const field = shape.fields.get(name);
    if (field === undefined) {
      walk.unknown.push(at);
      delete body[name];
    } else if (body[name] === null) delete body[name];
    else decodeValue(body[name], field, at, shape.name, walk);
  }
}

function decodeValue(value: unknown, shape: Shape, path: string, owner: string, walk: Walk): void {
  switch (shape.is) {
    case "scalar":
      if (!fitsScalar(value, shape.scalar)) throw wrongType(value, goTypeOf(shape.scalar), path, owner, walk);
      return;
    case "object":
      if (!isObject(value)) throw wrongType(value, `v1.${shape.name}`, path, owner, walk);
      decodeFields(value, definition(shape.name), path, walk);
      return;
    case "list":
      if (!Array.isArray(value)) throw wrongType(value, `[]${goTypeOfShape(shape.of)}`, path, owner, walk);
      for (const [index, element] of value.entries()) {
        decodeValue(element, shape.of, `${path}[${index}]`, owner, walk);
      }
      return;
    case "map":
      if (!isObject(value))
        throw wrongType(value, `map[string]${goTypeOfShape(shape.of)}`, path, owner, walk);
      for (const [key, inner] of Object.entries(value)) {
        if (inner === null) value[key] = "";
        else decodeValue(inner, shape.of, `${path}`, owner, walk);
      }
  }
}

const time = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/;

function fitsScalar(value: unknown, scalar: Scalar): boolean {
  switch (scalar) {
    case "string":
      return typeof value === "string";
    case "bytes":
      return typeof value === "string" && /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(value);
    case "int32":
      return Number.isInteger(value) && Math.abs(value as number) <= 2 ** 31;
    case "int64":
      return Number.isInteger(value);
    case "double":
      return typeof value === "number";
    case "bool":
      return typeof value === "boolean";
    case "quantity":
      return typeof value === "string" || typeof value === "number";
    case "intOrString":
      return typeof value === "string" || Number.isInteger(value);
    case "time":
    case "microTime":
      return typeof value === "string" && time.test(value);
    case "any":
      return true;
  }
}

function goTypeOf(scalar: Scalar): string {
  const names: Partial<Record<Scalar, string>> = {
    double: "float64",
    bytes: "[]uint8",
    time: "v1.Time",
    microTime: "v1.MicroTime",
    intOrString: "intstr.IntOrString",
    quantity: "resource.Quantity",
  };
  return names[scalar] ?? scalar;
}

function goTypeOfShape(shape: Shape): string {
  return shape.is === "scalar"
    ? goTypeOf(shape.scalar)
    : shape.is === "object"
      ? `v1.${shape.name}`
      : shape.is;
}

function wrongType(value: unknown, wanted: string, path: string, owner: string, { type }: Walk): Error {
  const found = Array.isArray(value) ? "array" : typeof value === "boolean" ? "bool" : typeof value;
  return badRequest(
    `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: json: cannot unmarshal ${found} into Go struct field ${owner}.${path.replaceAll(/\[\d+\]/g, "")} of type ${wanted}`,
  );
}
