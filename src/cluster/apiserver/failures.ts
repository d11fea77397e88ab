// The refusals of the API server, worded as Kubernetes words them: clients and people match on these texts.
import type { EniverseError } from "../../base/error.ts";
import { errorOfStatus, type Status, type StatusCause } from "../../kube/status-errors.ts";

/** Which resource a refusal is about; `deployments.apps`. */
export interface Named {
  readonly group: string;
  readonly plural: string;
  readonly kind: string;
}

/** One thing that is wrong with an object. */
export interface FieldError {
  readonly field: string;
  readonly reason:
    | "FieldValueRequired"
    | "FieldValueInvalid"
    | "FieldValueNotSupported"
    | "FieldValueDuplicate"
    | "FieldValueForbidden"
    | "FieldValueNotFound"
    | "FieldValueTypeInvalid"
    | "FieldValueTooLong";
  /** Without the field: `Required value: …`. */
  readonly message: string;
}

type Details = NonNullable<Status["details"]>;

/** "pods" or "deployments.apps". */
export function qualifiedName({ group, plural }: Pick<Named, "group" | "plural">): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function failure(code: number, reason: string, message: string, details?: Details): EniverseError {
  return errorOfStatus("serve the request", {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message,
    reason,
    ...(details !== undefined && { details }),
    code,
  });
}

const detailsOf = (type: Named, name: string, more: Details = {}): Details => ({
  name,
  ...(type.group !== "" && { group: type.group }),
  kind: type.plural,
  ...more,
});

export function notFound(type: Named, name: string): EniverseError {
  return failure(404, "NotFound", `${qualifiedName(type)} "${name}" not found`, detailsOf(type, name));
}

/** The path leads nowhere. */
export function noSuchPath(): EniverseError {
  return failure(404, "NotFound", "the server could not find the requested resource", {});
}

export function alreadyExists(type: Named, name: string): EniverseError {
  return failure(
    409,
    "AlreadyExists",
    `${qualifiedName(type)} "${name}" already exists`,
    detailsOf(type, name),
  );
}

const staleWrite =
  "the object has been modified; please apply your changes to the latest version and try again";

/** A write that builds on an old state, or whose precondition does not hold. */
export function conflict(type: Named, name: string, why: string = staleWrite): EniverseError {
  return failure(
    409,
    "Conflict",
    `Operation cannot be fulfilled on ${qualifiedName(type)} "${name}": ${why}`,
    detailsOf(type, name),
  );
}

/** Fields that a server-side apply would take from others. */
export function applyConflict(
  fields: readonly { readonly path: string; readonly manager: string; readonly apiVersion: string }[],
): EniverseError {
  const managers = [...new Set(fields.map(({ manager, apiVersion }) => `"${manager}" using ${apiVersion}`))];
  const [only] = fields;
  const list =
    fields.length === 1 && only !== undefined
      ? `conflict with ${managers[0]}: ${only.path}`
      : managers
          .map((who) => {
            const own = fields.filter(
              ({ manager, apiVersion }) => `"${manager}" using ${apiVersion}` === who,
            );
            return `conflicts with ${who}:\n${own.map(({ path }) => `- ${path}`).join("\n")}`;
          })
          .join("\n");
  const count = `${fields.length} conflict${fields.length === 1 ? "" : "s"}`;
  return failure(409, "Conflict", `Apply failed with ${count}: ${list}`, {
    causes: fields.map(({ path, manager, apiVersion }) => ({
      reason: "FieldManagerConflict",
      message: `conflict with "${manager}" using ${apiVersion}`,
      field: path,
    })),
  });
}

/** What `kubectl` prints as `The Deployment "web" is invalid: …`. */
export function invalid(type: Named, name: string, errors: readonly FieldError[]): EniverseError {
  const lines = errors.map((error) => `${error.field}: ${error.message}`);
  const what = type.group === "" ? type.kind : `${type.kind}.${type.group}`;
  const list = lines.length === 1 ? lines[0] : `[${lines.join(", ")}]`;
  return failure(422, "Invalid", `${what} "${name}" is invalid: ${list}`, {
    name,
    ...(type.group !== "" && { group: type.group }),
    kind: type.kind,
    causes: errors.map(({ reason, message, field }): StatusCause => ({ reason, message, field })),
  });
}

export function badRequest(message: string): EniverseError {
  return failure(400, "BadRequest", message);
}

export function unauthorized(): EniverseError {
  return failure(401, "Unauthorized", "Unauthorized");
}

/** The caller may not do it, or the state forbids it. */
export function forbidden(
  type: Named,
  name: string,
  why: string,
  causes: readonly StatusCause[] = [],
): EniverseError {
  return failure(
    403,
    "Forbidden",
    `${qualifiedName(type)}${name === "" ? "" : ` "${name}"`} is forbidden: ${why}`,
    detailsOf(type, name, causes.length > 0 ? { causes: [...causes] } : {}),
  );
}

export function forbiddenPath(user: string, verb: string, path: string): EniverseError {
  return failure(403, "Forbidden", `forbidden: User "${user}" cannot ${verb} path "${path}"`, {});
}

export function methodNotAllowed(): EniverseError {
  return failure(
    405,
    "MethodNotAllowed",
    "the server does not allow this method on the requested resource",
    {},
  );
}

export function notAcceptable(accepted: readonly string[]): EniverseError {
  return failure(406, "NotAcceptable", `only the following media types are accepted: ${accepted.join(", ")}`);
}

export function unsupportedMediaType(found: string, accepted: readonly string[]): EniverseError {
  return failure(
    415,
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")} (it was "${found}")`,
  );
}

/** The revision asked for is no longer (or not yet) known: the client must list again. */
export function expired(requested: number, oldest: number): EniverseError {
  return failure(410, "Expired", `too old resource version: ${requested} (${oldest})`);
}

export function continueExpired(): EniverseError {
  return failure(
    410,
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You must start a new list without the continue parameter.",
  );
}

export function tooManyRequests(
  message: string,
  retryAfterSeconds: number,
  causes: StatusCause[],
): EniverseError {
  return failure(429, "TooManyRequests", message, { causes, retryAfterSeconds });
}

export function internalError(message: string): EniverseError {
  return failure(500, "InternalError", `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });
}

/** The constructors of single field errors, with the words that Kubernetes uses. */
export const field = {
  required: (path: string, detail = ""): FieldError => ({
    field: path,
    reason: "FieldValueRequired",
    message: detail === "" ? "Required value" : `Required value: ${detail}`,
  }),
  invalid: (path: string, value: unknown, detail: string): FieldError => ({
    field: path,
    reason: "FieldValueInvalid",
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  unsupported: (path: string, value: unknown, supported: readonly string[]): FieldError => ({
    field: path,
    reason: "FieldValueNotSupported",
    message: `Unsupported value: ${show(value)}: supported values: ${supported.map((each) => `"${each}"`).join(", ")}`,
  }),
  duplicate: (path: string, value: unknown): FieldError => ({
    field: path,
    reason: "FieldValueDuplicate",
    message: `Duplicate value: ${show(value)}`,
  }),
  forbidden: (path: string, detail: string): FieldError => ({
    field: path,
    reason: "FieldValueForbidden",
    message: `Forbidden: ${detail}`,
  }),
  notFound: (path: string, value: unknown): FieldError => ({
    field: path,
    reason: "FieldValueNotFound",
    message: `Not found: ${show(value)}`,
  }),
  typeInvalid: (path: string, value: unknown, detail: string): FieldError => ({
    field: path,
    reason: "FieldValueTypeInvalid",
    message: `Invalid value: ${show(value)}: ${detail}`,
  }),
  tooLong: (path: string, bytes: number): FieldError => ({
    field: path,
    reason: "FieldValueTooLong",
    message: `Too long: may not be more than ${bytes} bytes`,
  }),
};

function show(value: unknown): string {
  return typeof value === "string" ? JSON.stringify(value) : (JSON.stringify(value) ?? "null");
}
