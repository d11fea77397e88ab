// Responses, and what a request accepts.
import { EniverseError, messageOf } from "../../../base/error.ts";
import { type Status, statusOf } from "../../../kube/status-errors.ts";
import { internalError, notAcceptable } from "../failures.ts";

const jsonType = "application/json";

export function json(text: string, status = 200, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(text, { status, headers: { "content-type": jsonType, ...headers } });
}

export function jsonOf(value: unknown, status = 200): Response {
  return json(JSON.stringify(value), status);
}

export function plain(text: string, status = 200): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}

/** The Status of anything that was thrown; what is not a refusal becomes InternalError. */
export function statusOfThrown(thrown: unknown): Status {
  const own = statusOf(thrown);
  if (own !== undefined) return own;
  const text = thrown instanceof EniverseError ? thrown.message : messageOf(thrown);
  return statusOf(internalError(text)) as Status;
}

export function failed(thrown: unknown): Response {
  const status = statusOfThrown(thrown);
  const retry = status.details?.retryAfterSeconds;
  return json(JSON.stringify(status), status.code ?? 500, {
    ...(retry !== undefined && { "retry-after": String(retry) }),
  });
}

/** In which form a client wants objects. */
export type Presentation =
  | { readonly as: "object" }
  | { readonly as: "table" | "metadata"; readonly version: string };

const presentations = [
  { name: "Table", as: "table" },
  { name: "PartialObjectMetadata", as: "metadata" },
  { name: "PartialObjectMetadataList", as: "metadata" },
] as const;

/** The first acceptable form; throws NotAcceptable when JSON is not among them. */
export function presentationOf(accept: string | null): Presentation {
  if (accept === null || accept === "") return { as: "object" };
  for (const entry of accept.split(",")) {
    const [media = "", ...rest] = entry.split(";").map((part) => part.trim());
    const options = Object.fromEntries(rest.map((part) => part.split("=", 2)));
    if (media !== jsonType && media !== "*/*" && media !== "application/*") continue;
    if (options.as === undefined) return { as: "object" };
    const known = presentations.find(({ name }) => name === options.as);
    if (known !== undefined && options.g === "meta.k8s.io") {
      return { as: known.as, version: options.v ?? "v1" };
    }
  }
  throw notAcceptable([jsonType]);
}
