// Sets of fields, in the form in which managedFields keeps them (FieldsV1): "f:NAME" for a field, `k:{"name":"x"}` for
// an element of a list with a key, `v:"x"` for a scalar of a list that is a set, "." for the element itself.
import { fieldShape } from "../schema/definitions.ts";
import type { Shape } from "../schema/shape.ts";
import { equalJson, isObject, type Json, type JsonObject } from "./json.ts";

/** A leaf has no members. */
export interface FieldTree {
  [member: string]: FieldTree;
}

interface Member {
  readonly value: Json;
  readonly shape: Shape | undefined;
}

/** The parts of a value that can have owners of their own; undefined for one that is owned as a whole. */
function membersOf(value: Json | undefined, shape: Shape | undefined): Map<string, Member> | undefined {
  if (isObject(value)) {
    const entries = Object.entries(value);
    if (entries.length === 0) return undefined;
    return new Map(
      entries.map(([name, inner]) => [`f:${name}`, { value: inner, shape: fieldShape(shape, name) }]),
    );
  }
  const key = shape?.is === "list" ? shape.mergeKey : undefined;
  if (!Array.isArray(value) || shape?.is !== "list" || key === undefined || value.length === 0) {
    return undefined;
  }
  const members = new Map<string, Member>();
  for (const element of value) {
    const id = isObject(element) ? element[key] : undefined;
    if (key !== "*" && id === undefined) return undefined;
    const member = key === "*" ? `v:${JSON.stringify(element)}` : `k:${JSON.stringify({ [key]: id })}`;
    members.set(member, { value: element, shape: shape.of });
  }
  return members;
}

const isLeaf = (tree: FieldTree): boolean => Object.keys(tree).length === 0;

/** All fields of a value. */
export function treeOf(value: Json, shape: Shape | undefined): FieldTree {
  const tree: FieldTree = {};
  for (const [member, inner] of membersOf(value, shape) ?? []) {
    tree[member] = { ...(member.startsWith("k:") && { ".": {} }), ...treeOf(inner.value, inner.shape) };
  }
  return tree;
}

/** The fields in which `after` differs from `before`, those that are gone among them; undefined when none does. */
export function changedFields(
  before: Json | undefined,
  after: Json | undefined,
  shape: Shape | undefined,
): FieldTree | undefined {
  if (equalJson(before, after)) return undefined;
  const [old, now] = [membersOf(before, shape), membersOf(after, shape)];
  if (old === undefined && now === undefined) return {};
  const tree: FieldTree = {};
  for (const member of new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])) {
    const [was, is] = [old?.get(member), now?.get(member)];
    const changed = changedFields(was?.value, is?.value, (is ?? was)?.shape);
    if (changed === undefined) continue;
    const isNew = member.startsWith("k:") && (was === undefined || is === undefined);
    tree[member] = isNew ? { ".": {}, ...changed } : changed;
  }
  return tree;
}

/** Paths at which `applied` wants another value than `live` has while `owned` holds the field: ".spec.replicas". */
export function contested(
  applied: Json,
  live: Json | undefined,
  owned: FieldTree | undefined,
  shape: Shape | undefined,
  path = "",
): { readonly path: string; readonly members: readonly string[] }[] {
  if (owned === undefined || equalJson(applied, live)) return [];
  const members = membersOf(applied, shape);
  if (members === undefined) return [{ path, members: [] }];
  const present = membersOf(live, shape);
  return [...members].flatMap(([member, { value, shape: inner }]) =>
    contested(value, present?.get(member)?.value, owned[member], inner, `${path}${textOf(member)}`).map(
      (found) => ({ ...found, members: [member, ...found.members] }),
    ),
  );
}

/** `.replicas`, `[name="web"]`, `["x"]`: as the API server writes paths. */
function textOf(member: string): string {
  if (member.startsWith("f:")) return `.${member.slice(2)}`;
  if (member.startsWith("v:")) return `[=${member.slice(2)}]`;
  const fields = Object.entries(JSON.parse(member.slice(2)) as JsonObject);
  return `[${fields.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(",")}]`;
}

/** The first tree without the fields of the second; undefined when nothing stays. */
export function without(tree: FieldTree, gone: FieldTree): FieldTree | undefined {
  const kept: FieldTree = {};
  for (const [member, inner] of Object.entries(tree)) {
    const other = gone[member];
    if (other === undefined) kept[member] = inner;
    else if (!isLeaf(other) && !isLeaf(inner)) {
      const rest = without(inner, other);
      if (rest !== undefined) kept[member] = rest;
    }
  }
  return isLeaf(kept) ? undefined : kept;
}

export function union(a: FieldTree, b: FieldTree): FieldTree {
  const all: FieldTree = { ...a };
  for (const [member, inner] of Object.entries(b)) all[member] = union(all[member] ?? {}, inner);
  return all;
}

/** The tree of one path. */
export function treeOfPath(members: readonly string[]): FieldTree {
  return members.reduceRight<FieldTree>((inner, member) => ({ [member]: inner }), {});
}

/** The value without the fields of `gone` that none of `others` has. */
export function removeFields(
  value: Json,
  gone: FieldTree,
  others: readonly FieldTree[],
  shape: Shape | undefined,
): Json {
  let rest = value;
  for (const [member, inner] of Object.entries(gone)) {
    const found = membersOf(rest, shape)?.get(member);
    if (member === "." || found === undefined) continue;
    const sharers = others.flatMap((other) => other[member] ?? []);
    const isWhole = isLeaf(inner) || inner["."] !== undefined;
    if (isWhole && sharers.length === 0) rest = withMember(rest, member, shape, undefined);
    else if (!isLeaf(inner)) {
      const next = removeFields(found.value, inner, sharers, found.shape);
      const isEmpty = isObject(next) && isLeaf(next as FieldTree) && sharers.length === 0;
      rest = withMember(rest, member, shape, isEmpty ? undefined : next);
    }
  }
  return rest;
}

/** A copy in which the member has another value; undefined takes it out. */
function withMember(value: Json, member: string, shape: Shape | undefined, next: Json | undefined): Json {
  if (isObject(value)) {
    const name = member.slice(2);
    const { [name]: _, ...rest } = value;
    return next === undefined ? rest : { ...value, [name]: next };
  }
  const members = membersOf(value, shape) ?? new Map<string, Member>();
  return [...members].flatMap(([other, { value: element }]) =>
    other !== member ? [element] : next === undefined ? [] : [next],
  );
}
