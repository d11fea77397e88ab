// Events: one collection, served in the old (core/v1) and the new (events.k8s.io/v1) form.
import type { KubeObject } from "../../../kube/objects.ts";
import type { Event, EventV1, ObjectReference } from "../../../kube/resources.ts";
import { field } from "../failures.ts";
import { type Column, type Draft, type ResourceType, resourceType } from "../resource-type.ts";
import { column, nameColumn, since, wide } from "./columns.ts";

const columns: readonly Column[] = [
  column<Event>("Last Seen", lastSeenText),
  column<Event>("Type", ({ type }) => type ?? ""),
  column<Event>("Reason", ({ reason }) => reason ?? ""),
  column<Event>(
    "Object",
    ({ involvedObject: { kind, name } }) => `${(kind ?? "").toLowerCase()}/${name ?? ""}`,
  ),
  column<Event>("Subobject", ({ involvedObject }) => involvedObject.fieldPath ?? "", wide),
  column<Event>("Source", sourceText, wide),
  column<Event>("Message", ({ message }) => (message ?? "").trim()),
  column<Event>("First Seen", (event, nowMs) => since(event.firstTimestamp ?? event.eventTime, nowMs), wide),
  column<Event>("Count", ({ count, series }) => series?.count ?? count ?? 1, { ...wide, type: "integer" }),
  { ...nameColumn, priority: 1 },
];

function lastSeenText(event: Event, nowMs: number): string {
  if (event.series !== undefined) return since(event.series.lastObservedTime, nowMs);
  return since(event.lastTimestamp ?? event.firstTimestamp ?? event.eventTime, nowMs);
}

function sourceText({ source, reportingComponent, reportingInstance }: Event): string {
  const component = source?.component || reportingComponent || "";
  const host = source?.host || reportingInstance || "";
  return host === "" || host === component ? component : `${component}, ${host}`;
}

export const eventType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "events",
  kind: "Event",
  shortNames: ["ev"],
  nameForm: "path",
  selectableFields: [
    "involvedObject.kind",
    "involvedObject.namespace",
    "involvedObject.name",
    "involvedObject.uid",
    "involvedObject.apiVersion",
    "involvedObject.resourceVersion",
    "involvedObject.fieldPath",
    "reason",
    "reportingComponent",
    "source",
    "type",
  ],
  columns,
  validate: (draft) => {
    const { involvedObject, metadata } = draft as unknown as Event;
    if (involvedObject === undefined) return [field.required("involvedObject")];
    // An event lives in the namespace of what it is about; that of a cluster-wide object in "default".
    const wanted = involvedObject.namespace || "default";
    if (metadata.namespace === wanted) return [];
    return [
      field.invalid(
        "involvedObject.namespace",
        involvedObject.namespace ?? "",
        "does not match event.namespace",
      ),
    ];
  },
});

export const eventV1Type: ResourceType = {
  ...eventType,
  group: "events.k8s.io",
  definition: "EventV1",
  toServed,
  toStored,
  selectableFields: [
    "reason",
    "reportingController",
    "regarding.kind",
    "regarding.name",
    "regarding.namespace",
    "regarding.uid",
    "type",
  ],
  // The table is made of the stored form.
  columns: columns.map((each) => ({
    ...each,
    cell: (object: KubeObject, nowMs: number) => each.cell(toStored(object as Draft), nowMs),
  })),
  validate: (draft, before) => eventType.validate?.(draft, before) ?? [],
};

function toServed(stored: KubeObject): KubeObject {
  const event = stored as Event;
  const { involvedObject, message, reportingComponent, source, firstTimestamp, lastTimestamp, count } = event;
  const served: EventV1 = {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: event.metadata,
    eventTime: event.eventTime ?? null,
    regarding: involvedObject,
    ...present({
      note: message,
      reportingController: reportingComponent,
      reportingInstance: event.reportingInstance,
      action: event.action,
      reason: event.reason,
      type: event.type,
      related: event.related,
      series: event.series as EventV1["series"],
      deprecatedSource: source,
      deprecatedFirstTimestamp: firstTimestamp,
      deprecatedLastTimestamp: lastTimestamp,
      deprecatedCount: count,
    }),
  };
  return served;
}

function toStored(served: Draft): Draft {
  const event = served as unknown as EventV1;
  const stored: Event = {
    apiVersion: "v1",
    kind: "Event",
    metadata: event.metadata,
    involvedObject: (event.regarding ?? {}) as ObjectReference,
    eventTime: event.eventTime ?? null,
    ...present({
      message: event.note,
      reportingComponent: event.reportingController,
      reportingInstance: event.reportingInstance,
      action: event.action,
      reason: event.reason,
      type: event.type,
      related: event.related,
      series: event.series,
      source: event.deprecatedSource,
      firstTimestamp: event.deprecatedFirstTimestamp,
      lastTimestamp: event.deprecatedLastTimestamp,
      count: event.deprecatedCount,
    }),
  };
  return stored as unknown as Draft;
}

type Present<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the fields that have no value. */
function present<T extends object>(fields: T): Present<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Present<T>;
}
