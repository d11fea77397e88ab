// The OpenAPI v2 document in the Protocol Buffers form of gnostic's openapiv2 (OpenAPIv2.proto), which is the only
// form that kubectl before 1.27 reads. Field numbers are noted beside each message.
import type { Swagger, SwaggerOperation, SwaggerSchema } from "./swagger.ts";

type Field = readonly [number: number, value: Uint8Array | string | boolean | undefined];

const utf8 = new TextEncoder();

/** Document: swagger 1, info 2, paths 8, definitions 9. */
export function encodeDocument(document: Swagger): Uint8Array {
  return message(
    [1, document.swagger],
    // Info: title 1, version 2.
    [2, message([1, document.info.title], [2, document.info.version])],
    // Paths: path 2 (NamedPathItem: name 1, value 2; PathItem: patch 8).
    [
      8,
      message(
        ...Object.entries(document.paths).map(
          ([path, { patch }]): Field => [2, named(path, message([8, encodeOperation(patch)]))],
        ),
      ),
    ],
    [9, encodeProperties(document.definitions)],
  );
}

/** Operation: operation_id 5, parameters 8, vendor_extension 13. */
function encodeOperation(operation: SwaggerOperation): Uint8Array {
  return message(
    [5, operation.operationId],
    ...operation.parameters.map((parameter): Field => {
      // QueryParameterSubSchema: in 2, description 3, name 4, type 6, unique_items 21.
      const query = message(
        [2, parameter.in],
        [3, parameter.description],
        [4, parameter.name],
        [6, parameter.type],
        [21, parameter.uniqueItems],
      );
      // ParametersItem.parameter 1, Parameter.non_body_parameter 2, NonBodyParameter.query_parameter 3.
      return [8, message([1, message([2, message([3, query])])])];
    }),
    [13, extension("x-kubernetes-group-version-kind", operation["x-kubernetes-group-version-kind"])],
  );
}

/** Definitions and Properties: additional_properties 1 (NamedSchema: name 1, value 2). */
function encodeProperties(schemas: Readonly<Record<string, SwaggerSchema>>): Uint8Array {
  return message(
    ...Object.entries(schemas).map(([name, schema]): Field => [1, named(name, encodeSchema(schema))]),
  );
}

/**
 * Schema: _ref 1, format 2, description 4, required 19, additional_properties 21, type 22, items 23,
 * properties 25, vendor_extension 31.
 */
function encodeSchema(schema: SwaggerSchema): Uint8Array {
  return message(
    [1, schema.$ref],
    [2, schema.format],
    [4, schema.description],
    ...(schema.required ?? []).map((name): Field => [19, name]),
    // AdditionalPropertiesItem: schema 1.
    [
      21,
      schema.additionalProperties === undefined
        ? undefined
        : message([1, encodeSchema(schema.additionalProperties)]),
    ],
    // TypeItem: value 1.
    [22, schema.type === undefined ? undefined : message([1, schema.type])],
    // ItemsItem: schema 1.
    [23, schema.items === undefined ? undefined : message([1, encodeSchema(schema.items)])],
    [25, schema.properties === undefined ? undefined : encodeProperties(schema.properties)],
    ...Object.entries(schema)
      .filter(([name]) => name.startsWith("x-"))
      .map(([name, value]): Field => [31, extension(name, value)]),
  );
}

/** NamedAny: name 1, value 2; Any: yaml 2. JSON is YAML. */
function extension(name: string, value: unknown): Uint8Array {
  return named(name, message([2, JSON.stringify(value)]));
}

function named(name: string, value: Uint8Array): Uint8Array {
  return message([1, name], [2, value]);
}

/** Absent values leave no trace; strings and messages are length-delimited, booleans varints. */
function message(...fields: readonly Field[]): Uint8Array {
  const chunks: Uint8Array[] = [];
  for (const [number, value] of fields) {
    if (value === undefined) continue;
    if (typeof value === "boolean") chunks.push(varint(number << 3), varint(value ? 1 : 0));
    else {
      const bytes = typeof value === "string" ? utf8.encode(value) : value;
      chunks.push(varint((number << 3) | 2), varint(bytes.length), bytes);
    }
  }
  return Buffer.concat(chunks);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  while (rest > 0x7f) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  bytes.push(rest);
  return Uint8Array.from(bytes);
}
