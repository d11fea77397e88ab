// The structural schemas of custom resources: checking, pruning and defaulting.
import type { JsonSchema } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson, isObject, type Json } from "../patch/json.ts";

/** Drops fields that the schema does not know and fills in its defaults; changes the value in place. */
export function pruneAndDefault(value: unknown, schema: JsonSchema | undefined): void {
  if (schema === undefined) return;
  if (Array.isArray(value)) {
    for (const element of value) pruneAndDefault(element, schema.items);
    return;
  }
  if (!isObject(value)) return;
  const { properties = {}, additionalProperties } = schema;
  const isOpen = schema["x-kubernetes-preserve-unknown-fields"] === true || additionalProperties === true;
  for (const name of Object.keys(value)) {
    if (properties[name] !== undefined) continue;
    if (typeof additionalProperties === "object") pruneAndDefault(value[name], additionalProperties);
    else if (!isOpen) delete value[name];
  }
  for (const [name, property] of Object.entries(properties)) {
    if (value[name] === undefined && property.default !== undefined) {
      value[name] = structuredClone(property.default) as Json;
    }
    if (value[name] === null && property.nullable !== true) delete value[name];
    pruneAndDefault(value[name], property);
  }
}

/** What of the value breaks the schema; `path` names the value in the messages. */
export function schemaErrors(value: unknown, schema: JsonSchema | undefined, path: string): FieldError[] {
  if (schema === undefined || (value === null && schema.nullable === true)) return [];
  const wrongType = typeError(value, schema, path);
  if (wrongType !== undefined) return [wrongType];
  const errors: FieldError[] = [];
  if (schema.enum !== undefined && !schema.enum.some((each) => equalJson(each, value))) {
    errors.push(field.unsupported(path, value, schema.enum.map(String)));
  }
  if (typeof value === "string") errors.push(...stringErrors(value, schema, path));
  if (typeof value === "number") errors.push(...numberErrors(value, schema, path));
  if (Array.isArray(value)) errors.push(...listErrors(value, schema, path));
  else if (isObject(value)) errors.push(...objectErrors(value, schema, path));
  errors.push(...combinedErrors(value, schema, path));
  return errors;
}

function typeError(value: unknown, schema: JsonSchema, path: string): FieldError | undefined {
  const found = typeName(value);
  if (schema["x-kubernetes-int-or-string"] === true) {
    if (found === "integer" || found === "string") return undefined;
    return field.typeInvalid(path, value, `${path} in body must be of type int-or-string: "${found}"`);
  }
  if (schema.type === undefined || schema.type === found) return undefined;
  if (schema.type === "number" && found === "integer") return undefined;
  return field.typeInvalid(path, shown(value), `${path} in body must be of type ${schema.type}: "${found}"`);
}

function shown(value: unknown): unknown {
  return typeof value === "object" ? typeName(value) : value;
}

function typeName(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function stringErrors(value: string, schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const invalid = (detail: string): void => {
    errors.push(field.invalid(path, value, `${path} in body ${detail}`));
  };
  if (schema.minLength !== undefined && value.length < schema.minLength) {
    invalid(`should be at least ${schema.minLength} chars long`);
  }
  if (schema.maxLength !== undefined && value.length > schema.maxLength) {
    invalid(`should be at most ${schema.maxLength} chars long`);
  }
  if (schema.pattern !== undefined && !new RegExp(schema.pattern).test(value)) {
    invalid(`should match '${schema.pattern}'`);
  }
  return errors;
}

function numberErrors(value: number, schema: JsonSchema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const { minimum, maximum, multipleOf } = schema;
  if (minimum !== undefined && (schema.exclusiveMinimum === true ? value <= minimum : value < minimum)) {
    errors.push(field.invalid(path, value, `${path} in body should be greater than or equal to ${minimum}`));
  }
  if (maximum !== undefined && (schema.exclusiveMaximum === true ? value >= maximum : value > maximum)) {
    errors.push(field.invalid(path, value, `${path} in body should be less than or equal to ${maximum}`));
  }
  if (multipleOf !== undefined && value % multipleOf !== 0) {
    errors.push(field.invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`));
  }
  return errors;
}

function listErrors(value: readonly unknown[], schema: JsonSchema, path: string): FieldError[] {
  const errors = value.flatMap((element, index) => schemaErrors(element, schema.items, `${path}[${index}]`));
  if (schema.minItems !== undefined && value.length < schema.minItems) {
    errors.push(
      field.invalid(path, value.length, `${path} in body should have at least ${schema.minItems} items`),
    );
  }
  if (schema.maxItems !== undefined && value.length > schema.maxItems) {
    errors.push(
      field.invalid(path, value.length, `${path} in body should have at most ${schema.maxItems} items`),
    );
  }
  if (schema.uniqueItems === true) {
    for (const [index, element] of value.entries()) {
      const first = value.findIndex((other) => equalJson(other, element));
      if (first !== index) errors.push(field.duplicate(`${path}[${index}]`, element));
    }
  }
  return errors;
}

function objectErrors(
  value: Readonly<Record<string, unknown>>,
  schema: JsonSchema,
  path: string,
): FieldError[] {
  const at = (name: string): string => (path === "" ? name : `${path}.${name}`);
  const errors: FieldError[] = [];
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) errors.push(field.required(at(name)));
  }
  for (const [name, inner] of Object.entries(value)) {
    const property = schema.properties?.[name];
    if (property !== undefined) errors.push(...schemaErrors(inner, property, at(name)));
    else if (typeof schema.additionalProperties === "object") {
      errors.push(...schemaErrors(inner, schema.additionalProperties, at(name)));
    }
  }
  const count = Object.keys(value).length;
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    errors.push(
      field.invalid(path, count, `${path} in body should have at least ${schema.minProperties} properties`),
    );
  }
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    errors.push(
      field.invalid(path, count, `${path} in body should have at most ${schema.maxProperties} properties`),
    );
  }
  return errors;
}

function combinedErrors(value: unknown, schema: JsonSchema, path: string): FieldError[] {
  const fits = (each: JsonSchema): boolean => schemaErrors(value, each, path).length === 0;
  const errors = (schema.allOf ?? []).flatMap((each) => schemaErrors(value, each, path));
  if (schema.anyOf !== undefined && !schema.anyOf.some(fits)) {
    errors.push(
      field.invalid(path, shown(value), `${path} in body must validate at least one schema (anyOf)`),
    );
  }
  if (schema.oneOf !== undefined && schema.oneOf.filter(fits).length !== 1) {
    errors.push(
      field.invalid(path, shown(value), `${path} in body must validate one and only one schema (oneOf)`),
    );
  }
  if (schema.not !== undefined && fits(schema.not)) {
    errors.push(field.invalid(path, shown(value), `${path} in body must not validate the schema (not)`));
  }
  return errors;
}
