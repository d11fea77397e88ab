// The border to Kubernetes' errors: a `Status` object (what the API answers instead of an object) to and from the
// project's coded error.
import { EniverseError, type ErrorCode } from "../base/error.ts";

export interface StatusCause {
  reason?: string;
  message?: string;
  field?: string;
}

/** meta/v1 Status. */
export interface Status {
  kind: "Status";
  apiVersion: "v1";
  metadata: Record<string, unknown>;
  status: "Success" | "Failure";
  message?: string;
  reason?: string;
  details?: {
    name?: string;
    group?: string;
    kind?: string;
    uid?: string;
    causes?: StatusCause[];
    retryAfterSeconds?: number;
  };
  /** The HTTP status. */
  code?: number;
}

/** True for anything that has the form of a Status. */
export function isStatus(value: unknown): value is Status {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "Status";
}

/**
 * The error for a failed request. The reason decides first, because 409 is both AlreadyExists and Conflict; the
 * Status is kept as `cause`, its code and reason as facts.
 */
export function errorOfStatus(attempted: string, status: Status): EniverseError {
  const http = status.code ?? 500;
  const reason = status.reason ?? "";
  return new EniverseError(codeOf(http, reason), {
    attempted,
    found: status.message ?? `the API server answered ${http}`,
    cause: status,
    facts: { status: http, reason },
  });
}

/** The Status that an error carries, if the API server said one. */
export function statusOf(error: unknown): Status | undefined {
  const cause = error instanceof EniverseError ? error.parts.cause : undefined;
  return isStatus(cause) ? cause : undefined;
}

/** True when the API server has forgotten the revision that a watch or a continued list asked for. */
export function isExpired(error: unknown): boolean {
  return error instanceof EniverseError && error.parts.facts?.status === 410;
}

function codeOf(http: number, reason: string): ErrorCode {
  if (reason === "AlreadyExists") return "already_exists";
  switch (http) {
    case 400:
    case 413:
    case 415:
    case 422:
      return "invalid_argument";
    case 401:
    case 403:
      return "permission_denied";
    case 404:
      return "not_found";
    case 405:
    case 406:
      return "unsupported";
    case 409:
    case 410:
      return "conflict";
    case 429:
      return "throttled";
    case 504:
      return "timeout";
    case 503:
      return "unavailable";
    default:
      return "internal";
  }
}
