// Columns that most kinds share, and how their cells are worded.
import type { KubeObject } from "../../../kube/objects.ts";
import type { Container, LabelSelector, PodTemplateSpec } from "../../../kube/resources.ts";
import { formatLabelSelector } from "../../../kube/selectors.ts";
import type { Cell, Column } from "../resource-type.ts";
import { humanDuration } from "./duration.ts";

/** A column of one kind; the cell function gets the object as that kind. */
export function column<T extends KubeObject>(
  name: string,
  cell: (object: T, nowMs: number) => Cell,
  more: Partial<Pick<Column, "type" | "priority" | "format" | "description">> = {},
): Column {
  return { name, type: "string", priority: 0, ...more, cell: (object, nowMs) => cell(object as T, nowMs) };
}

export const wide = { priority: 1 } as const;
export const integer = { type: "integer" } as const;

export const nameColumn: Column = column("Name", (object) => object.metadata.name, { format: "name" });
export const ageColumn: Column = column("Age", (object, nowMs) =>
  since(object.metadata.creationTimestamp, nowMs),
);

/** "<unknown>" for an absent time. */
export function since(time: string | null | undefined, nowMs: number): string {
  if (time === undefined || time === null || time === "") return "<unknown>";
  return humanDuration(nowMs - Date.parse(time));
}

/** What `-o wide` shows of a pod template. */
export const containersColumn: Column = column<Templated>(
  "Containers",
  (object) =>
    containersOf(object)
      .map((container) => container.name)
      .join(","),
  wide,
);
export const imagesColumn: Column = column<Templated>(
  "Images",
  (object) =>
    containersOf(object)
      .map((container) => container.image ?? "")
      .join(","),
  wide,
);
export const selectorColumn: Column = column<Templated>(
  "Selector",
  (object) => selectorText(object.spec.selector),
  wide,
);

interface Templated extends KubeObject {
  spec: { template?: PodTemplateSpec; selector?: LabelSelector };
}

function containersOf(object: Templated): readonly Container[] {
  return object.spec.template?.spec.containers ?? [];
}

export function selectorText(selector: LabelSelector | undefined): string {
  const text = formatLabelSelector(selector);
  return text === "" ? "<none>" : text;
}

/** Labels or a node selector: "a=1,b=2". */
export function pairsText(pairs: Readonly<Record<string, string>> | undefined): string {
  const text = Object.entries(pairs ?? {})
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(",");
  return text === "" ? "<none>" : text;
}
