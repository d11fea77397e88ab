// The OpenAPI v2 document of the served types, as plain JSON: definitions for every kind, and for each the PATCH
// operation, by which clients find out whether dry runs and field validation are supported.

import { serverVersion } from "../discovery.ts";
import type { Registry } from "../registry.ts";
import type { ResourceType } from "../resource-type.ts";
import { definitions } from "../schema/definitions.ts";
import type { ObjectShape, Scalar, Shape } from "../schema/shape.ts";

export interface SwaggerSchema {
  $ref?: string;
  type?: string;
  format?: string;
  description?: string;
  required?: string[];
  items?: SwaggerSchema;
  properties?: Record<string, SwaggerSchema>;
  additionalProperties?: SwaggerSchema;
  [extension: `x-${string}`]: unknown;
}

export interface SwaggerOperation {
  operationId: string;
  parameters: { name: string; in: "query"; type: string; description: string; uniqueItems: boolean }[];
  "x-kubernetes-group-version-kind": GroupVersionKind;
}

export interface GroupVersionKind {
  group: string;
  version: string;
  kind: string;
}

export interface Swagger {
  swagger: "2.0";
  info: { title: string; version: string };
  paths: Record<string, { patch: SwaggerOperation }>;
  definitions: Record<string, SwaggerSchema>;
}

export function swaggerOf(registry: Registry): Swagger {
  const types = registry.types();
  const schemas: Record<string, SwaggerSchema> = {};
  for (const shape of definitions.values()) {
    schemas[definitionName(shape.name)] = objectSchema(
      shape,
      types.filter((type) => type.definition === shape.name),
    );
  }
  for (const type of types) {
    if (type.custom !== undefined) schemas[customName(type)] = customSchema(type);
  }
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version: serverVersion.gitVersion },
    paths: Object.fromEntries(types.map((type) => [pathOfType(type), { patch: patchOperation(type) }])),
    definitions: schemas,
  };
}

function definitionName(name: string): string {
  return `io.k8s.api.${name}`;
}

function customName({ group, version, kind }: ResourceType): string {
  return `${group.split(".").reverse().join(".")}.${version}.${kind}`;
}

function kindOf({ group, version, kind }: ResourceType): GroupVersionKind {
  return { group, version, kind };
}

function objectSchema(shape: ObjectShape, types: readonly ResourceType[]): SwaggerSchema {
  return {
    type: "object",
    ...(shape.required.length > 0 && { required: [...shape.required] }),
    properties: Object.fromEntries([...shape.fields].map(([name, field]) => [name, schemaOf(field)])),
    ...(types.length > 0 && { "x-kubernetes-group-version-kind": types.map(kindOf) }),
  };
}

function schemaOf(shape: Shape): SwaggerSchema {
  switch (shape.is) {
    case "scalar":
      return scalarSchema(shape.scalar);
    case "object":
      return { $ref: `#/definitions/${definitionName(shape.name)}` };
    case "map":
      return { type: "object", additionalProperties: schemaOf(shape.of) };
    case "list": {
      const schema: SwaggerSchema = { type: "array", items: schemaOf(shape.of) };
      if (shape.mergeKey === undefined) return schema;
      schema["x-kubernetes-patch-strategy"] = shape.retainKeys === true ? "merge,retainKeys" : "merge";
      if (shape.mergeKey !== "*") schema["x-kubernetes-patch-merge-key"] = shape.mergeKey;
      return schema;
    }
  }
}

function scalarSchema(scalar: Scalar): SwaggerSchema {
  switch (scalar) {
    case "string":
    case "quantity":
      return { type: "string" };
    case "int32":
    case "int64":
      return { type: "integer", format: scalar };
    case "double":
      return { type: "number", format: "double" };
    case "bool":
      return { type: "boolean" };
    case "intOrString":
      return { type: "string", format: "int-or-string" };
    case "time":
    case "microTime":
      return { type: "string", format: "date-time" };
    case "bytes":
      return { type: "string", format: "byte" };
    case "any":
      return { type: "object" };
  }
}

const withoutOpenFields = new Set(["type", "format", "description", "required", "items", "properties"]);

/** A custom resource's schema without what OpenAPI v2 cannot say. */
function customSchema(type: ResourceType): SwaggerSchema {
  const own = reduced(type.custom?.schema);
  return {
    ...own,
    type: "object",
    properties: {
      ...own.properties,
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: { $ref: `#/definitions/${definitionName("ObjectMeta")}` },
    },
    "x-kubernetes-group-version-kind": [kindOf(type)],
  };
}

function reduced(schema: unknown): SwaggerSchema {
  if (typeof schema !== "object" || schema === null) return { type: "object" };
  const given = schema as Record<string, unknown>;
  // Where anything may stand, the document says nothing: clients then accept everything.
  if (given["x-kubernetes-preserve-unknown-fields"] === true) return { type: "object" };
  if (given["x-kubernetes-int-or-string"] === true) return { type: "string", format: "int-or-string" };
  const kept = Object.fromEntries(Object.entries(given).filter(([name]) => withoutOpenFields.has(name)));
  const result = kept as SwaggerSchema;
  if (given.properties !== undefined) {
    result.properties = Object.fromEntries(
      Object.entries(given.properties as Record<string, unknown>).map(([name, inner]) => [
        name,
        reduced(inner),
      ]),
    );
  }
  if (given.items !== undefined) result.items = reduced(given.items);
  if (typeof given.additionalProperties === "object") {
    result.additionalProperties = reduced(given.additionalProperties);
  }
  return result;
}

function pathOfType({ group, version, plural, namespaced }: ResourceType): string {
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  return `${root}${namespaced ? "/namespaces/{namespace}" : ""}/${plural}/{name}`;
}

function patchOperation(type: ResourceType): SwaggerOperation {
  const parameter = (name: string, description: string) =>
    ({ name, in: "query", type: "string", description, uniqueItems: true }) as const;
  return {
    operationId: `patch${type.group}${type.version}${type.kind}`,
    parameters: [
      parameter("dryRun", "All: every stage runs, nothing is kept."),
      parameter("fieldManager", "The name of the actor; it is accepted and not kept."),
      parameter("fieldValidation", "What to do about unknown fields: Ignore, Warn or Strict."),
    ],
    "x-kubernetes-group-version-kind": kindOf(type),
  };
}
