import { faults } from "../model/fault.ts";
import type { Params } from "./decode-query.ts";

export interface Page<R> {
  readonly items: readonly R[];
  readonly nextToken: string | undefined;
}

/** Bounds of MaxResults of most describe actions. */
const bounds = { least: 5, most: 1000 };

/** Cuts a list into the page that MaxResults and NextToken ask for; without MaxResults `usual` items, or all. */
export function pageOf<R>(
  params: Params,
  items: readonly R[],
  keyOf: (item: R) => string,
  limits = bounds,
  usual?: number,
): Page<R> {
  const maxResults = params.int("MaxResults");
  if (maxResults !== undefined && (maxResults < limits.least || maxResults > limits.most)) {
    throw faults.badValue(
      maxResults,
      "maxResults",
      `Expecting a value between ${limits.least} and ${limits.most}.`,
    );
  }
  const token = params.text("NextToken");
  const start = token === undefined ? 0 : startOf(token, items, keyOf);
  const end = start + (maxResults ?? usual ?? items.length);
  const page = items.slice(start, end);
  const last = page.at(-1);
  const nextToken = end < items.length && last !== undefined ? tokenAfter(end, keyOf(last)) : undefined;
  return { items: page, nextToken };
}

/** The token names the last item given, and its place for the case that it has gone meanwhile. */
function tokenAfter(end: number, key: string): string {
  return btoa(encodeURIComponent(JSON.stringify([end, key])));
}

function startOf<R>(token: string, items: readonly R[], keyOf: (item: R) => string): number {
  const [end, key] = readToken(token);
  const index = items.findIndex((item) => keyOf(item) === key);
  return index < 0 ? end : index + 1;
}

function readToken(token: string): [end: number, key: string] {
  try {
    const [end, key]: unknown[] = JSON.parse(decodeURIComponent(atob(token)));
    if (typeof end === "number" && typeof key === "string") return [end, key];
  } catch {
    // Not one of ours: refused below.
  }
  throw faults.invalid("Unable to parse pagination token");
}

/** EC2 does not page through resources that are named by id. */
export function refusePagingOfIds(
  params: Params,
  idsParameter: string,
  ids: readonly string[] | undefined,
): void {
  if (ids !== undefined && params.has("MaxResults")) {
    throw faults.combination(`The parameter ${idsParameter} cannot be used with the parameter maxResults`);
  }
}
