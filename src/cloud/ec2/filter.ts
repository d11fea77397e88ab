import { faults } from "../model/fault.ts";
import type { Tags } from "../model/tags.ts";
import type { Params } from "./decode-query.ts";

/** What a filter compares: the values that a resource has for it. */
export type FilterValue<R> = (resource: R) => string | number | boolean | Iterable<string> | undefined;

/** The filters of a kind of resource, by name; "tag:KEY" and "tag-key" come with every kind that has tags. */
export type FilterTable<R> = Readonly<Record<string, FilterValue<R>>>;

interface Wanted<R> {
  readonly value: FilterValue<R>;
  readonly patterns: readonly ((text: string) => boolean)[];
}

/**
 * Reads the request's filters: values of one filter are alternatives, filters add up. Throws
 * InvalidParameterValue for a filter that this kind does not have.
 */
export function readFilters<R extends { readonly tags?: Tags }>(
  params: Params,
  table: FilterTable<R>,
): (resource: R) => boolean {
  const wanted = params.structs("Filter").map((filter): Wanted<R> => {
    const name = filter.required("Name");
    const values = filter.list("Value") ?? [];
    if (values.length === 0) throw faults.invalid(`The filter '${name}' has no values`);
    if (values.length > 200) throw faults.invalid(`The filter '${name}' has more than 200 values`);
    return { value: filterValue(name, table), patterns: values.map(pattern) };
  });
  return (resource) =>
    wanted.every(({ value, patterns }) => {
      const found = texts(value(resource));
      return patterns.some((matches) => found.some(matches));
    });
}

function filterValue<R extends { readonly tags?: Tags }>(
  name: string,
  table: FilterTable<R>,
): FilterValue<R> {
  if (name.startsWith("tag:")) {
    const key = name.slice(4);
    return (resource) => resource.tags?.get(key);
  }
  if (name === "tag-key") return (resource) => resource.tags?.keys();
  if (name === "tag-value") return (resource) => resource.tags?.values();
  const value = table[name];
  if (value === undefined) throw faults.invalid(`The filter '${name}' is invalid`);
  return value;
}

function texts(value: ReturnType<FilterValue<unknown>>): string[] {
  if (value === undefined) return [];
  return typeof value === "object" ? [...value] : [String(value)];
}

/** `*` stands for any text, `?` for any character, and a backslash takes their meaning away. */
function pattern(value: string): (text: string) => boolean {
  if (!/[*?\\]/.test(value)) return (text) => text === value;
  let source = "";
  for (let index = 0; index < value.length; index++) {
    const char = value[index] ?? "";
    if (char === "\\" && index + 1 < value.length) source += escapeRegExp(value[++index] ?? "");
    else if (char === "*") source += "[^]*";
    else if (char === "?") source += "[^]";
    else source += escapeRegExp(char);
  }
  const regExp = new RegExp(`^${source}$`);
  return (text) => regExp.test(text);
}

function escapeRegExp(char: string): string {
  return char.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
