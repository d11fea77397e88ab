// The front door: who asks, what for, may they.
import type { Log } from "../../../base/log.ts";
import { type Action, mayDo, mayReadPath, refusalText } from "../authorization.ts";
import { coreVersions, groupDocument, groupList, resourceList, serverVersion } from "../discovery.ts";
import { forbidden, forbiddenPath, noSuchPath, unauthorized } from "../failures.ts";
import type { Identity } from "../identity.ts";
import { openApiResponse } from "../openapi/serve.ts";
import { bindPod } from "../subresources.ts";
import { failed, jsonOf, plain, statusOfThrown } from "./answers.ts";
import { readObject } from "./body.ts";
import { serveResource } from "./resources.ts";
import { serveReview } from "./reviews.ts";
import { type SubresourceParts, serveSubresource } from "./subresources.ts";
import { findTarget, parseResourcePath, type ResourcePath } from "./target.ts";

export interface HandlerParts extends SubresourceParts {
  readonly log: Log;
}

/** Answers one request of a caller; an undefined identity is nobody. Never rejects. */
export async function handleRequest(
  parts: HandlerParts,
  request: Request,
  identity: Identity | undefined,
): Promise<Response> {
  try {
    if (identity === undefined) throw unauthorized();
    return await route(parts, request, identity);
  } catch (error) {
    const status = statusOfThrown(error);
    if (status.code === 500)
      parts.log("error", "request failed", { url: request.url, error: status.message });
    return failed(error);
  }
}

async function route(parts: HandlerParts, request: Request, identity: Identity): Promise<Response> {
  const { engine } = parts;
  const url = new URL(request.url);
  const path = parseResourcePath(url.pathname);
  const query = url.searchParams;
  if (path === undefined) {
    if (!mayReadPath(engine, identity, url.pathname)) throw forbiddenPath(identity.user, "get", url.pathname);
    return servePlainPath(parts, request, url.pathname);
  }
  const review = await serveReview(engine, request, path, identity);
  if (review !== undefined) return review;
  const action = actionOf(request, path, query);
  const target = findTarget(engine.registry, path);
  if (!mayDo(engine, identity, action)) {
    const named = target?.type ?? { group: path.group, plural: path.plural, kind: "" };
    throw forbidden(named, path.name, refusalText(identity, action));
  }
  if (path.group === "" && path.plural === "bindings" && request.method === "POST") {
    const body = (await readObject(request)) as { metadata?: { name?: string } };
    bindPod(engine, path.namespace, body.metadata?.name ?? "", body);
    return jsonOf({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 }, 201);
  }
  if (target === undefined) throw noSuchPath();
  return (
    (await serveSubresource(parts, request, target, query)) ?? serveResource(engine, request, target, query)
  );
}

const collectionVerbs: Readonly<Record<string, string>> = { GET: "list", DELETE: "deletecollection" };
const verbs: Readonly<Record<string, string>> = {
  GET: "get",
  POST: "create",
  PUT: "update",
  PATCH: "patch",
  DELETE: "delete",
};

function actionOf({ method }: Request, path: ResourcePath, query: URLSearchParams): Action {
  const isWatch = method === "GET" && (query.get("watch") === "true" || query.get("watch") === "1");
  const verb = path.name === "" ? (collectionVerbs[method] ?? verbs[method]) : verbs[method];
  return {
    verb: isWatch ? "watch" : (verb ?? method.toLowerCase()),
    group: path.group,
    resource: path.subresource === "" ? path.plural : `${path.plural}/${path.subresource}`,
    namespace: path.namespace,
    name: path.name,
  };
}

function servePlainPath({ engine }: HandlerParts, request: Request, path: string): Response {
  const { registry } = engine;
  const parts = path.split("/").filter((part) => part !== "");
  const [first, second = "", third] = parts;
  switch (first) {
    case undefined:
      return jsonOf({ paths: ["/api", "/apis", "/healthz", "/livez", "/openapi/v2", "/readyz", "/version"] });
    case "healthz":
    case "livez":
    case "readyz":
      return plain("ok");
    case "version":
      return jsonOf(serverVersion);
    case "openapi":
      return openApiResponse(registry, request, path);
    case "api":
      if (parts.length === 1) return jsonOf(coreVersions());
      return found(resourceList(registry, "", second));
    case "apis":
      if (parts.length === 1) return jsonOf(groupList(registry));
      return found(
        third === undefined ? groupDocument(registry, second) : resourceList(registry, second, third),
      );
    default:
      throw noSuchPath();
  }
}

function found(document: unknown): Response {
  if (document === undefined) throw noSuchPath();
  return jsonOf(document);
}
