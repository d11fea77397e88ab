import { describe, expect, test } from "bun:test";
import type { JsonSchema, Pod } from "../../../kube/resources.ts";
import { humanDuration } from "./duration.ts";
import { readJsonPath } from "./json-path.ts";
import { podColumns } from "./pod-columns.ts";
import { pruneAndDefault, schemaErrors } from "./schema-validation.ts";

describe("spans of time", () => {
  const second = 1000;
  const minute = 60 * second;
  const hour = 60 * minute;
  const day = 24 * hour;
  test.each([
    [-5 * second, "<invalid>"],
    [-1, "0s"],
    [0, "0s"],
    [119 * second, "119s"],
    [2 * minute, "2m"],
    [3 * minute + 20 * second, "3m20s"],
    [10 * minute + 20 * second, "10m"],
    [179 * minute, "179m"],
    [3 * hour, "3h"],
    [3 * hour + 5 * minute, "3h5m"],
    [8 * hour + 5 * minute, "8h"],
    [47 * hour, "47h"],
    [2 * day, "2d"],
    [2 * day + 4 * hour, "2d4h"],
    [8 * day + 4 * hour, "8d"],
    [700 * day, "700d"],
    [2 * 365 * day + 10 * day, "2y10d"],
    [9 * 365 * day, "9y"],
  ])("%d ms is %s", (spanMs, text) => {
    expect(humanDuration(spanMs)).toBe(text);
  });
});

describe("pods as kubectl sums them up", () => {
  const nowMs = Date.parse("2024-05-01T10:00:00Z");
  const running = { startedAt: "2024-05-01T09:00:00Z" };
  const status = (name: string, more: object) => ({
    name,
    ready: false,
    restartCount: 0,
    image: "",
    imageID: "",
    ...more,
  });
  const row = (pod: object): unknown[] => {
    const whole = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p", creationTimestamp: "2024-05-01T09:59:00Z" },
      spec: { containers: [{ name: "a" }, { name: "b" }] },
      ...pod,
    } as unknown as Pod;
    return podColumns.slice(1, 4).map((column) => column.cell(whole, nowMs));
  };

  test.each([
    ["pending", { status: { phase: "Pending" } }, ["0/2", "Pending", "0"]],
    [
      "running",
      {
        status: {
          phase: "Running",
          containerStatuses: [
            status("a", { ready: true, state: { running } }),
            status("b", {
              ready: true,
              restartCount: 2,
              state: { running },
              lastState: { terminated: { exitCode: 1, finishedAt: "2024-05-01T09:55:00Z" } },
            }),
          ],
        },
      },
      ["2/2", "Running", "2 (5m ago)"],
    ],
    [
      "waiting",
      {
        status: {
          phase: "Pending",
          containerStatuses: [status("a", { state: { waiting: { reason: "ContainerCreating" } } })],
        },
      },
      ["0/2", "ContainerCreating", "0"],
    ],
    [
      "ended by a signal",
      {
        status: {
          phase: "Failed",
          containerStatuses: [status("a", { state: { terminated: { exitCode: 137, signal: 9 } } })],
        },
      },
      ["0/2", "Signal:9", "0"],
    ],
    [
      "at its second init container",
      {
        spec: { containers: [{ name: "a" }], initContainers: [{ name: "i" }, { name: "j" }] },
        status: {
          phase: "Pending",
          initContainerStatuses: [
            status("i", { state: { terminated: { exitCode: 0 } } }),
            status("j", { state: { running }, restartCount: 1 }),
          ],
        },
      },
      ["0/1", "Init:1/2", "1"],
    ],
    [
      "with a failing init container",
      {
        spec: { containers: [{ name: "a" }], initContainers: [{ name: "i" }] },
        status: {
          phase: "Pending",
          initContainerStatuses: [status("i", { state: { terminated: { exitCode: 3 } } })],
        },
      },
      ["0/1", "Init:ExitCode:3", "0"],
    ],
    [
      "completed while another runs",
      {
        status: {
          phase: "Running",
          conditions: [{ type: "Ready", status: "True" }],
          containerStatuses: [
            status("a", { state: { terminated: { exitCode: 0, reason: "Completed" } } }),
            status("b", { ready: true, state: { running } }),
          ],
        },
      },
      ["1/2", "Running", "0"],
    ],
    [
      "being deleted",
      { metadata: { name: "p", deletionTimestamp: "2024-05-01T10:00:00Z" }, status: { phase: "Running" } },
      ["0/2", "Terminating", "0"],
    ],
    ["evicted", { status: { phase: "Failed", reason: "Evicted" } }, ["0/2", "Evicted", "0"]],
  ])("%s", (_, pod, cells) => {
    expect(row(pod)).toEqual(cells);
  });
});

test.each([
  [".spec.a", [1]],
  [".spec.list[1].name", ["y"]],
  [".spec.list[*].name", ["x", "y"]],
  ['.spec.list[?(@.name=="y")].value', [2]],
  [".metadata.annotations['a.b/c']", ["v"]],
  [".metadata.annotations.a\\.b/c", ["v"]],
  [".spec.none.deeper", []],
])("the path %s leads to %j", (path, values) => {
  const object = {
    metadata: { annotations: { "a.b/c": "v" } },
    spec: {
      a: 1,
      list: [
        { name: "x", value: 1 },
        { name: "y", value: 2 },
      ],
    },
  };
  expect(readJsonPath(object, path)).toEqual(values);
});

describe("schemas of custom resources", () => {
  const schema: JsonSchema = {
    type: "object",
    required: ["spec"],
    properties: {
      spec: {
        type: "object",
        required: ["subnet"],
        properties: {
          subnet: { type: "string", pattern: "^subnet-" },
          groups: { type: "array", items: { type: "string" }, maxItems: 2 },
          count: { type: "integer", minimum: 1, maximum: 5, default: 3 },
          port: { "x-kubernetes-int-or-string": true },
          mode: { type: "string", enum: ["a", "b"], nullable: true },
          tags: { type: "object", additionalProperties: { type: "string" } },
          open: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        },
      },
    },
  };
  const found = (value: unknown): string[] =>
    schemaErrors(value, schema, "").map(({ field, reason }) => `${field} ${reason}`);

  test.each<[unknown, string[]]>([
    [{ spec: { subnet: "subnet-1", groups: ["a"], count: 2, port: "x", mode: null, tags: { a: "b" } } }, []],
    [{}, ["spec FieldValueRequired"]],
    [{ spec: {} }, ["spec.subnet FieldValueRequired"]],
    [{ spec: { subnet: 5 } }, ["spec.subnet FieldValueTypeInvalid"]],
    [{ spec: { subnet: "x" } }, ["spec.subnet FieldValueInvalid"]],
    [{ spec: { subnet: "subnet-", count: 9 } }, ["spec.count FieldValueInvalid"]],
    [{ spec: { subnet: "subnet-", count: 1.5 } }, ["spec.count FieldValueTypeInvalid"]],
    [{ spec: { subnet: "subnet-", mode: "c" } }, ["spec.mode FieldValueNotSupported"]],
    [{ spec: { subnet: "subnet-", port: 1.5 } }, ["spec.port FieldValueTypeInvalid"]],
    [{ spec: { subnet: "subnet-", groups: ["a", 1] } }, ["spec.groups[1] FieldValueTypeInvalid"]],
    [{ spec: { subnet: "subnet-", groups: ["a", "b", "c"] } }, ["spec.groups FieldValueInvalid"]],
    [{ spec: { subnet: "subnet-", tags: { a: 1 } } }, ["spec.tags.a FieldValueTypeInvalid"]],
  ])("%j breaks %j", (value, errors) => {
    expect(found(value)).toEqual(errors);
  });

  test("unknown fields go, defaults come", () => {
    const value = {
      spec: { subnet: "subnet-1", strange: 1, open: { any: { thing: 1 } }, tags: { a: "b" } },
      other: 2,
    };
    pruneAndDefault(value, schema);
    expect(value as unknown).toEqual({
      spec: { subnet: "subnet-1", open: { any: { thing: 1 } }, tags: { a: "b" }, count: 3 },
    });
  });
});
