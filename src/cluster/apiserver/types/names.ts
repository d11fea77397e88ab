// The forms of names, labels and annotations, with the words in which a wrong one is refused.
import type { ObjectMeta } from "../../../kube/objects.ts";
import { isLabelKey, isLabelValue } from "../../../kube/selectors.ts";
import { type FieldError, field } from "../failures.ts";

const label = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const subdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export const labelMessage =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
export const subdomainMessage =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const labelKeyMessage =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
const labelValueMessage =
  "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";

/** "100m", "1.5", "128Mi", "1e3". */
export const quantityPattern = /^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$/;

/** The sum of all annotations may not be larger (apimachinery validation/objectmeta.go). */
const annotationsLimitBytes = 256 * 1024;

export function isDnsLabel(text: string): boolean {
  return label.test(text);
}

export function isDnsSubdomain(text: string): boolean {
  return text.length <= 253 && subdomain.test(text);
}

export function labelErrors(
  labels: Readonly<Record<string, unknown>> | undefined,
  path: string,
): FieldError[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...(isLabelKey(key) ? [] : [field.invalid(path, key, labelKeyMessage)]),
    ...(isLabelValue(String(value)) ? [] : [field.invalid(path, value, labelValueMessage)]),
  ]);
}

/** `nameForm` "path" allows what may stand in a path: RBAC names have colons. */
export function metadataErrors(
  metadata: ObjectMeta,
  namespaced: boolean,
  nameForm: "label" | "path" | "subdomain",
): FieldError[] {
  const errors: FieldError[] = [];
  const name = metadata.name ?? "";
  if (name === "") errors.push(field.required("metadata.name", "name or generateName is required"));
  else if (nameForm === "label" && !isDnsLabel(name))
    errors.push(field.invalid("metadata.name", name, labelMessage));
  else if (nameForm === "subdomain" && !isDnsSubdomain(name)) {
    errors.push(field.invalid("metadata.name", name, subdomainMessage));
  } else if (nameForm === "path" && (/[/%]/.test(name) || name === "." || name === "..")) {
    errors.push(field.invalid("metadata.name", name, "may not contain '/' or '%', nor be '.' or '..'"));
  }
  if (namespaced && !metadata.namespace) errors.push(field.required("metadata.namespace"));
  errors.push(...labelErrors(metadata.labels, "metadata.labels"));
  let bytes = 0;
  for (const [key, value] of Object.entries(metadata.annotations ?? {})) {
    if (!isLabelKey(key.toLowerCase()))
      errors.push(field.invalid("metadata.annotations", key, labelKeyMessage));
    bytes += Buffer.byteLength(key) + Buffer.byteLength(String(value));
  }
  if (bytes > annotationsLimitBytes)
    errors.push(field.tooLong("metadata.annotations", annotationsLimitBytes));
  for (const [index, owner] of (metadata.ownerReferences ?? []).entries()) {
    for (const part of ["apiVersion", "kind", "name", "uid"] as const) {
      if (owner[part]) continue;
      errors.push(field.invalid(`metadata.ownerReferences[${index}].${part}`, "", "must not be empty"));
    }
  }
  return errors;
}
