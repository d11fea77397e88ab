// Objects that clients send as application/vnd.kubernetes.protobuf, read into the JSON form by the table of shapes.
// Typed Go clients send this form of the built-in kinds (kubectl from 1.32 on, controller-runtime).

import { builtinTypes } from "../registry.ts";
import { apiVersionOfType } from "../resource-type.ts";
import { definition, definitions } from "../schema/definitions.ts";
import type { ObjectShape, Scalar, Shape, WireField } from "../schema/shape.ts";
import { broken, readFields, type WireValue } from "./wire.ts";

/** What stands before every object. */
const magic = [0x6b, 0x38, 0x73, 0x00];

type Fields = Record<string, unknown>;

/**
 * The object in its envelope (runtime.Unknown: typeMeta 1, raw 2). Throws `invalid_argument` for broken bytes and
 * for kinds and fields that the table has no numbers for; nothing is dropped silently.
 */
export function decodeProtobuf(bytes: Uint8Array): Fields {
  if (!magic.every((byte, index) => bytes[index] === byte)) throw broken("the magic number is missing");
  let raw: Uint8Array = new Uint8Array();
  let type: Fields = {};
  for (const [number, value] of readFields(bytes.subarray(magic.length))) {
    if (number === 1) type = decodeMessage(bytesOf(value, "typeMeta"), typeMetaShape);
    if (number === 2) raw = bytesOf(value, "raw");
  }
  const shape = shapeOfKind(String(type.apiVersion ?? ""), String(type.kind ?? ""));
  return { ...type, ...decodeMessage(raw, shape) };
}

const typeMetaShape: ObjectShape = {
  name: "TypeMeta",
  fields: new Map<string, Shape>([
    ["apiVersion", { is: "scalar", scalar: "string" }],
    ["kind", { is: "scalar", scalar: "string" }],
  ]),
  required: [],
  wire: [
    { field: "apiVersion", path: [1], keepsZero: false },
    { field: "kind", path: [2], keepsZero: false },
  ],
};

/** Kinds that are sent but not stored; their group follows from the path. */
const sentKinds = [
  "Binding",
  "DeleteOptions",
  "Eviction",
  "Scale",
  "SelfSubjectAccessReview",
  "SelfSubjectReview",
  "TokenRequest",
];

function shapeOfKind(apiVersion: string, kind: string): ObjectShape {
  const type = builtinTypes.find((each) => each.kind === kind && apiVersionOfType(each) === apiVersion);
  const name = type?.definition ?? (sentKinds.includes(kind) ? kind : undefined);
  const shape = name === undefined ? undefined : definitions.get(name);
  if (shape === undefined || shape.wire.length === 0) {
    throw broken(`${kind} of ${apiVersion} cannot be sent in this form`);
  }
  return shape;
}

/** The fields of a message by their numbers; a number leads to a field or to an embedded message. */
type Numbers = Map<number, WireField | Numbers>;

const numbersOf = new Map<string, Numbers>();

function numbers(shape: ObjectShape): Numbers {
  const known = numbersOf.get(shape.name);
  if (known !== undefined) return known;
  const root: Numbers = new Map();
  for (const wire of shape.wire) {
    let level = root;
    for (const number of wire.path.slice(0, -1)) {
      const inner = level.get(number);
      const next: Numbers = inner instanceof Map ? inner : new Map();
      level.set(number, next);
      level = next;
    }
    level.set(wire.path.at(-1) ?? 0, wire);
  }
  numbersOf.set(shape.name, root);
  return root;
}

function decodeMessage(bytes: Uint8Array, shape: ObjectShape): Fields {
  const object: Fields = {};
  fill(object, bytes, shape, numbers(shape));
  return object;
}

function fill(object: Fields, bytes: Uint8Array, shape: ObjectShape, level: Numbers): void {
  for (const [number, value] of readFields(bytes)) {
    const known = level.get(number);
    if (known === undefined) throw broken(`${shape.name} has no field of the number ${number}`);
    if (known instanceof Map) {
      fill(object, bytesOf(value, shape.name), shape, known);
      continue;
    }
    const { field, keepsZero } = known;
    const type = shape.fields.get(field);
    if (type !== undefined) setField(object, field, value, type, keepsZero);
  }
}

function setField(object: Fields, field: string, value: WireValue, type: Shape, keepsZero: boolean): void {
  if (type.is === "list") {
    object[field] ??= [];
    (object[field] as unknown[]).push(decodeValue(value, type.of, field));
    return;
  }
  if (type.is === "map") {
    object[field] ??= {};
    const [key, inner] = mapEntry(bytesOf(value, field), type.of, field);
    (object[field] as Fields)[key] = inner;
    return;
  }
  const decoded = decodeValue(value, type, field);
  const isZero = decoded === undefined || decoded === 0 || decoded === "" || decoded === false;
  if (keepsZero ? decoded !== undefined : !isZero) object[field] = decoded;
}

/** Map entries are messages: key 1, value 2. */
function mapEntry(bytes: Uint8Array, of: Shape, field: string): [string, unknown] {
  let key = "";
  let inner: unknown = "";
  for (const [number, value] of readFields(bytes)) {
    if (number === 1) key = textOf(value, field);
    if (number === 2) inner = decodeValue(value, of, field);
  }
  return [key, inner];
}

function decodeValue(value: WireValue, type: Shape, field: string): unknown {
  if (type.is === "object") return decodeMessage(bytesOf(value, field), definition(type.name));
  if (type.is === "scalar") return decodeScalar(value, type.scalar, field);
  throw broken(`${field} is nested in a way that this form does not have`);
}

function decodeScalar(value: WireValue, scalar: Scalar, field: string): unknown {
  switch (scalar) {
    case "string":
      return textOf(value, field);
    case "bytes":
      return Buffer.from(bytesOf(value, field)).toString("base64");
    case "bool":
      return numberOf(value, field) !== 0;
    case "int32":
    case "int64":
      return numberOf(value, field);
    case "quantity": {
      // resource.Quantity: string 1.
      const [text] = membersOf(value, field);
      return text === undefined ? "0" : textOf(text, field);
    }
    case "time":
    case "microTime":
      return timeText(membersOf(value, field), scalar, field);
    case "intOrString": {
      // type 1 (0: int), intVal 2, strVal 3.
      const [kind = 0n, number = 0n, text] = membersOf(value, field);
      return kind === 0n ? numberOf(number, field) : text === undefined ? "" : textOf(text, field);
    }
    case "any": {
      // runtime.RawExtension: raw 1.
      const [raw] = membersOf(value, field);
      return raw === undefined ? undefined : parseJson(textOf(raw, field), field);
    }
    case "double":
      throw broken(`${field} is a floating-point number`);
  }
}

function parseJson(text: string, field: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw broken(`${field} is no JSON`);
  }
}

/** The values of a small message's fields, by number from 1 on. */
function membersOf(value: WireValue, field: string): (WireValue | undefined)[] {
  const members: (WireValue | undefined)[] = [];
  for (const [number, member] of readFields(bytesOf(value, field))) members[number - 1] = member;
  return members;
}

/** The years 1970 ± 8000. */
const longestMs = 8000 * 365.25 * 24 * 3600 * 1000;

/** meta/v1 Time and MicroTime: seconds 1, nanos 2. The zero time is an empty message. */
function timeText(
  members: (WireValue | undefined)[],
  scalar: "time" | "microTime",
  field: string,
): string | undefined {
  const [seconds, nanos = 0n] = members;
  if (typeof seconds !== "bigint" || typeof nanos !== "bigint") return undefined;
  const milliseconds = Number(BigInt.asIntN(64, seconds)) * 1000;
  if (Math.abs(milliseconds) > longestMs || nanos >= 1_000_000_000n) throw broken(`${field} is no time`);
  const base = new Date(milliseconds).toISOString().slice(0, 19);
  if (scalar === "time") return `${base}Z`;
  return `${base}.${String(nanos / 1000n).padStart(6, "0")}Z`;
}

function bytesOf(value: WireValue, field: string): Uint8Array {
  if (typeof value === "bigint") throw broken(`${field} is a number`);
  return value;
}

function textOf(value: WireValue, field: string): string {
  return Buffer.from(bytesOf(value, field)).toString("utf8");
}

function numberOf(value: WireValue, field: string): number {
  if (typeof value !== "bigint") throw broken(`${field} is not a number`);
  return Number(BigInt.asIntN(64, value));
}
