// The shapes of built-in objects: which fields there are, of which type, and by which key their lists merge.
// One table serves decoding, strategic merge patches, `kubectl explain` and the OpenAPI document.
//
// The notation, one type per block:
//   TypeName
//     TYPE  field@1 field!@2 field?@3 field@4.1 …
// TYPE is a scalar, the name of another type, [TYPE] for a list, {TYPE} for a map; `[TYPE]:key` merges by that
// key, `[TYPE]:key+retainKeys` also drops the other members of a union, `[TYPE]:*` merges a list of scalars.
// `!` marks a field that must be given, `?` one whose zero is not the same as its absence; `@` is its number in
// Kubernetes' Protocol Buffers (generated.proto), `@4.1` when it lies in an embedded message. A field without a
// number cannot be sent in that form.
import { EniverseError } from "../../../base/error.ts";

const scalars = [
  "string",
  "int32",
  "int64",
  "double",
  "bool",
  "quantity",
  "intOrString",
  "time",
  "microTime",
  "bytes",
  "any",
] as const;
export type Scalar = (typeof scalars)[number];

export type Shape =
  | { readonly is: "scalar"; readonly scalar: Scalar }
  | { readonly is: "object"; readonly name: string }
  | { readonly is: "map"; readonly of: Shape }
  | ListShape;

export interface ListShape {
  readonly is: "list";
  readonly of: Shape;
  /** The field that makes elements the same; "*" when equal scalars are. Absent: a patch replaces the list. */
  readonly mergeKey?: string;
  readonly retainKeys?: boolean;
}

/** How a field is sent in Protocol Buffers. */
export interface WireField {
  readonly field: string;
  /** Its number, after those of the messages around it. */
  readonly path: readonly number[];
  /** False when zero means absent. */
  readonly keepsZero: boolean;
}

export interface ObjectShape {
  readonly name: string;
  readonly fields: ReadonlyMap<string, Shape>;
  readonly required: readonly string[];
  readonly wire: readonly WireField[];
}

/** Reads the notation; throws `internal` for a line that it does not know. */
export function parseShapes(text: string): ObjectShape[] {
  const shapes: { name: string; fields: Map<string, Shape>; required: string[]; wire: WireField[] }[] = [];
  for (const line of text.split("\n")) {
    if (line.trim() === "") continue;
    if (!line.startsWith(" ")) {
      shapes.push({ name: line.trim(), fields: new Map(), required: [], wire: [] });
      continue;
    }
    const [type = "", ...names] = line.trim().split(/\s+/);
    const shape = parseShape(type);
    const owner = shapes.at(-1);
    if (owner === undefined || names.length === 0) throw unreadable(line);
    for (const text of names) {
      const [, field = "", mark, number] = /^(\w+)([!?]?)(?:@([\d.]+))?$/.exec(text) ?? [];
      if (field === "") throw unreadable(line);
      owner.fields.set(field, shape);
      if (mark === "!") owner.required.push(field);
      if (number === undefined) continue;
      owner.wire.push({ field, path: number.split(".").map(Number), keepsZero: mark !== "" });
    }
  }
  return shapes;
}

function parseShape(text: string): Shape {
  const list = /^\[(.+)\](?::([A-Za-z*]+)(\+retainKeys)?)?$/.exec(text);
  if (list !== null) {
    return {
      is: "list",
      of: parseShape(list[1] ?? ""),
      ...(list[2] !== undefined && { mergeKey: list[2] }),
      ...(list[3] !== undefined && { retainKeys: true }),
    };
  }
  const map = /^\{(.+)\}$/.exec(text);
  if (map !== null) return { is: "map", of: parseShape(map[1] ?? "") };
  const scalar = scalars.find((each) => each === text);
  if (scalar !== undefined) return { is: "scalar", scalar };
  if (/^[A-Z]\w*$/.test(text)) return { is: "object", name: text };
  throw unreadable(text);
}

function unreadable(line: string): EniverseError {
  return new EniverseError("internal", { attempted: `read the shape "${line}"` });
}
