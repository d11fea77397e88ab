// ConfigMaps, Secrets and ServiceAccounts.
import type { ConfigMap, Secret, ServiceAccount } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson } from "../patch/json.ts";
import { type ResourceType, resourceType } from "../resource-type.ts";
import { ageColumn, column, integer, nameColumn } from "./columns.ts";

/** What one ConfigMap or Secret may hold (core/types.go MaxSecretSize). */
const limitBytes = 1024 * 1024;
const dataKey = /^[-._a-zA-Z0-9]+$/;

export const configMapType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "configmaps",
  kind: "ConfigMap",
  shortNames: ["cm"],
  columns: [
    nameColumn,
    column<ConfigMap>("Data", (map) => sizeOf(map.data) + sizeOf(map.binaryData), integer),
    ageColumn,
  ],
  validate: (draft, before) => {
    const now = draft as unknown as ConfigMap;
    const old = before as ConfigMap | undefined;
    const errors = [...dataErrors("data", now.data), ...dataErrors("binaryData", now.binaryData)];
    if (old?.immutable !== true) return errors;
    return [
      ...errors,
      ...frozenErrors("data", now.data, old.data),
      ...frozenErrors("binaryData", now.binaryData, old.binaryData),
    ];
  },
});

export const secretType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "secrets",
  kind: "Secret",
  selectableFields: ["type"],
  columns: [
    nameColumn,
    column<Secret>("Type", ({ type }) => type ?? ""),
    column<Secret>("Data", ({ data }) => sizeOf(data), integer),
    ageColumn,
  ],
  defaults: (draft) => {
    const secret = draft as unknown as Secret;
    secret.type ??= "Opaque";
    if (secret.stringData === undefined) return;
    secret.data ??= {};
    for (const [key, text] of Object.entries(secret.stringData)) {
      secret.data[key] = Buffer.from(text).toString("base64");
    }
    delete secret.stringData;
  },
  validate: (draft, before) => {
    const now = draft as unknown as Secret;
    const old = before as Secret | undefined;
    const errors = dataErrors("data", now.data);
    if (old !== undefined && now.type !== old.type) {
      errors.push(field.invalid("type", now.type, "field is immutable"));
    }
    if (old?.immutable === true) errors.push(...frozenErrors("data", now.data, old.data));
    return errors;
  },
});

export const serviceAccountType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "serviceaccounts",
  kind: "ServiceAccount",
  shortNames: ["sa"],
  subresources: ["token"],
  columns: [
    nameColumn,
    column<ServiceAccount>("Secrets", ({ secrets }) => secrets?.length ?? 0, integer),
    ageColumn,
  ],
});

function sizeOf(data: Readonly<Record<string, string>> | undefined): number {
  return Object.keys(data ?? {}).length;
}

function dataErrors(path: string, data: Readonly<Record<string, string>> | undefined): FieldError[] {
  const errors: FieldError[] = [];
  let bytes = 0;
  for (const [key, value] of Object.entries(data ?? {})) {
    bytes += Buffer.byteLength(value);
    if (dataKey.test(key) && key !== "." && key !== "..") continue;
    errors.push(
      field.invalid(
        `${path}[${key}]`,
        key,
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')",
      ),
    );
  }
  if (bytes > limitBytes) errors.push(field.tooLong(path, limitBytes));
  return errors;
}

function frozenErrors(path: string, now: unknown, before: unknown): FieldError[] {
  return equalJson(now, before) ? [] : [field.forbidden(path, "field is immutable when `immutable` is set")];
}
