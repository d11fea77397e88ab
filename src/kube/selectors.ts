// Label and field selectors: parsing as the API server parses them, and matching.
import { EniverseError } from "../base/error.ts";
import type { LabelSelector } from "./pod-types.ts";

export type LabelOperator = "=" | "!=" | "in" | "notin" | "exists" | "!exists" | ">" | "<";

export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export interface FieldRequirement {
  readonly path: string;
  readonly equal: boolean;
  readonly value: string;
}

const labelKey = /^([a-z0-9]([-a-z0-9.]*[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const labelValue = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** True for what may stand on the left of a label. */
export function isLabelKey(text: string): boolean {
  return text.length <= 317 && labelKey.test(text);
}

/** True for what may stand on the right of a label; the empty text may. */
export function isLabelValue(text: string): boolean {
  return labelValue.test(text);
}

/**
 * Parses "app=web,tier!=db,zone in (a,b),!legacy,gpu,cores>4"; the empty text selects everything.
 * Throws `invalid_argument`.
 */
export function parseLabelSelector(text: string): LabelRequirement[] {
  return splitOutsideParentheses(text).map((part) => parseLabelRequirement(part, text));
}

function parseLabelRequirement(part: string, whole: string): LabelRequirement {
  const set = /^(\S+)\s+(in|notin)\s*\(([^()]*)\)$/.exec(part);
  if (set !== null) {
    const values = (set[3] ?? "").split(",").map((value) => value.trim());
    return checked({ key: set[1] ?? "", operator: set[2] as LabelOperator, values }, whole);
  }
  const pair = /^([^=!<>\s]+)\s*(==|=|!=|>|<)\s*(\S*)$/.exec(part);
  if (pair !== null) {
    const operator = (pair[2] === "==" ? "=" : pair[2]) as LabelOperator;
    return checked({ key: pair[1] ?? "", operator, values: [pair[3] ?? ""] }, whole);
  }
  if (part.startsWith("!"))
    return checked({ key: part.slice(1).trim(), operator: "!exists", values: [] }, whole);
  return checked({ key: part, operator: "exists", values: [] }, whole);
}

function checked(requirement: LabelRequirement, whole: string): LabelRequirement {
  if (!isLabelKey(requirement.key)) throw unreadable("label", whole, `the key "${requirement.key}"`);
  const ordering = requirement.operator === ">" || requirement.operator === "<";
  for (const value of requirement.values) {
    if (!isLabelValue(value)) throw unreadable("label", whole, `the value "${value}"`);
    if (ordering && !/^-?\d+$/.test(value)) throw unreadable("label", whole, `the number "${value}"`);
  }
  return requirement;
}

function splitOutsideParentheses(text: string): string[] {
  const parts: string[] = [];
  let depth = 0;
  let part = "";
  for (const letter of text) {
    if (letter === "(") depth++;
    if (letter === ")") depth--;
    if (letter === "," && depth === 0) {
      parts.push(part.trim());
      part = "";
    } else part += letter;
  }
  if (depth !== 0) throw unreadable("label", text, "parentheses that do not match");
  parts.push(part.trim());
  if (parts.length === 1 && parts[0] === "") return [];
  if (parts.includes("")) throw unreadable("label", text, "an empty requirement");
  return parts;
}

function unreadable(kind: "label" | "field", text: string, found: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `read the ${kind} selector "${text}"`,
    found,
    wanted: kind === "label" ? 'the form "app=web,tier!=db,zone in (a,b)"' : 'the form "spec.nodeName=n1"',
  });
}

/** True when the labels fulfil every requirement. As in Kubernetes, `!=` and `notin` hold when the key is absent. */
export function matchesLabels(
  requirements: readonly LabelRequirement[],
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  return requirements.every((requirement) => holds(requirement, labels?.[requirement.key]));
}

function holds({ operator, values }: LabelRequirement, value: string | undefined): boolean {
  switch (operator) {
    case "exists":
      return value !== undefined;
    case "!exists":
      return value === undefined;
    case "=":
    case "in":
      return value !== undefined && values.includes(value);
    case "!=":
    case "notin":
      return value === undefined || !values.includes(value);
    case ">":
      return value !== undefined && Number(value) > Number(values[0]);
    case "<":
      return value !== undefined && Number(value) < Number(values[0]);
  }
}

/** The requirements of a selector object; an empty selector selects everything, an absent one nothing (undefined). */
export function requirementsOf(selector: LabelSelector | undefined): LabelRequirement[] | undefined {
  if (selector === undefined) return undefined;
  const operators = { In: "in", NotIn: "notin", Exists: "exists", DoesNotExist: "!exists" } as const;
  return [
    ...Object.entries(selector.matchLabels ?? {}).map(
      ([key, value]): LabelRequirement => ({ key, operator: "=", values: [value] }),
    ),
    ...(selector.matchExpressions ?? []).map(
      ({ key, operator, values }): LabelRequirement => ({
        key,
        operator: operators[operator],
        values: values ?? [],
      }),
    ),
  ];
}

/** True when a workload's selector selects these labels. */
export function selects(
  selector: LabelSelector | undefined,
  labels: Readonly<Record<string, string>> | undefined,
): boolean {
  const requirements = requirementsOf(selector);
  return requirements !== undefined && matchesLabels(requirements, labels);
}

/** A selector object as the text that `labelSelector=` takes: "app=web,tier in (a,b)". */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  return (requirementsOf(selector) ?? [])
    .map(({ key, operator, values }) => {
      if (operator === "exists") return key;
      if (operator === "!exists") return `!${key}`;
      if (operator === "in" || operator === "notin") return `${key} ${operator} (${values.join(",")})`;
      return `${key}${operator}${values[0] ?? ""}`;
    })
    .join(",");
}

/** Parses "spec.nodeName=n1,status.phase!=Running". Throws `invalid_argument`. */
export function parseFieldSelector(text: string): FieldRequirement[] {
  if (text.trim() === "") return [];
  return text.split(",").map((part) => {
    const pair = /^\s*([^=!\s]+)\s*(==|=|!=)(.*)$/.exec(part);
    if (pair === null) throw unreadable("field", text, `the part "${part}"`);
    return { path: pair[1] ?? "", equal: pair[2] !== "!=", value: (pair[3] ?? "").trim() };
  });
}

/** True when the object has (or has not) each value at its path; an absent value counts as the empty text. */
export function matchesFields(requirements: readonly FieldRequirement[], object: unknown): boolean {
  return requirements.every(({ path, equal, value }) => (fieldText(object, path) === value) === equal);
}

function fieldText(object: unknown, path: string): string {
  let value = object;
  for (const step of path.split(".")) {
    if (typeof value !== "object" || value === null) return "";
    value = (value as Record<string, unknown>)[step];
  }
  return value === undefined || value === null ? "" : String(value);
}
