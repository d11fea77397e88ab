// The verbs on resources: from a request to the engine and back.
import type { KubeObject } from "../../../kube/objects.ts";
import { type Engine, servedJson, servedObject } from "../engine.ts";
import { badRequest, methodNotAllowed, noSuchPath } from "../failures.ts";
import { patchObject } from "../patching.ts";
import { getObject, listObjects, type Selection, selectionOf } from "../read.ts";
import { type DeleteOptions, deleteObject, readDeleteOptions } from "../remove.ts";
import { apiVersionOfType, type ResourceType } from "../resource-type.ts";
import type { Stored } from "../store.ts";
import { listMetadata, metadataOnly, tableOf } from "../tables.ts";
import { createObject, type FieldValidation, replaceObject, type UpdateOptions } from "../write.ts";
import { json, jsonOf, type Presentation, presentationOf } from "./answers.ts";
import { readObject, readOptionalObject, readPatch } from "./body.ts";
import type { Target } from "./target.ts";
import { watchResponse } from "./watch-stream.ts";

/** The longest a watch lasts when the client does not say: an hour, as the API server's upper bound. */
const watchSeconds = 3600;

export async function serveResource(
  engine: Engine,
  request: Request,
  target: Target,
  query: URLSearchParams,
): Promise<Response> {
  if (target.subresource !== "" && target.subresource !== "status") throw noSuchPath();
  if (target.subresource === "status" && !target.type.subresources.includes("status")) throw noSuchPath();
  switch (request.method) {
    case "GET":
      return target.name === ""
        ? serveList(engine, request, target, query)
        : serveGet(engine, request, target, query);
    case "POST":
      return serveCreate(engine, request, target, query);
    case "PUT":
      return servePut(engine, request, target, query);
    case "PATCH":
      return servePatch(engine, request, target, query);
    case "DELETE":
      return serveDelete(engine, request, target, query);
    default:
      throw methodNotAllowed();
  }
}

function serveGet(engine: Engine, request: Request, target: Target, query: URLSearchParams): Response {
  const stored = getObject(engine, target.type, target.namespace, target.name);
  return answer(engine, target.type, stored, presentationOf(request.headers.get("accept")), query);
}

function answer(
  engine: Engine,
  type: ResourceType,
  stored: Stored,
  presentation: Presentation,
  query: URLSearchParams,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Response {
  if (presentation.as === "object") return json(servedJson(type, stored), status, headers);
  const { version } = presentation;
  if (presentation.as === "metadata") {
    return json(JSON.stringify(metadataOnly(servedObject(type, stored), version)), status, headers);
  }
  const options = { version, include: includeOf(query), nowMs: engine.clock.now() };
  const more = { resourceVersion: String(stored.revision) };
  return json(JSON.stringify(tableOf(type, [stored], options, more)), status, headers);
}

function serveList(engine: Engine, request: Request, target: Target, query: URLSearchParams): Response {
  const { type } = target;
  const selection = selectionIn(target, query);
  const presentation = presentationOf(request.headers.get("accept"));
  if (isTrue(query.get("watch"))) {
    return watchResponse(engine, {
      type,
      selection,
      resourceVersion: query.get("resourceVersion") ?? "",
      presentation,
      includeObject: includeOf(query),
      timeoutMs: wholeNumber(query, "timeoutSeconds", watchSeconds) * 1000,
      bookmarks: isTrue(query.get("allowWatchBookmarks")),
      announceInitialEnd: isTrue(query.get("sendInitialEvents")),
      signal: request.signal,
    });
  }
  const page = listObjects(
    engine,
    type,
    selection,
    wholeNumber(query, "limit", 0),
    query.get("continue") ?? "",
  );
  if (presentation.as === "table") {
    const options = { version: presentation.version, include: includeOf(query), nowMs: engine.clock.now() };
    return jsonOf(tableOf(type, page.items, options, { page }));
  }
  if (presentation.as === "metadata") {
    return jsonOf({
      kind: "PartialObjectMetadataList",
      apiVersion: `meta.k8s.io/${presentation.version}`,
      metadata: listMetadata(page),
      items: page.items.map((stored) => metadataOnly(servedObject(type, stored), presentation.version)),
    });
  }
  // The items are already JSON: no object is written twice.
  const head = JSON.stringify({
    kind: type.listKind,
    apiVersion: apiVersionOfType(type),
    metadata: listMetadata(page),
  });
  return json(
    `${head.slice(0, -1)},"items":[${page.items.map((stored) => servedJson(type, stored)).join(",")}]}`,
  );
}

async function serveCreate(
  engine: Engine,
  request: Request,
  target: Target,
  query: URLSearchParams,
): Promise<Response> {
  if (target.name !== "" || target.subresource !== "") throw methodNotAllowed();
  if (target.type.namespaced && target.namespace === "") throw methodNotAllowed();
  const body = await readObject(request);
  const warnings: string[] = [];
  const options = writeOptions(request, query, warnings);
  const stored = createObject(engine, target.type, target.namespace, body, options);
  return written(engine, request, target, stored, query, warnings, 201);
}

function written(
  engine: Engine,
  request: Request,
  { type }: Target,
  stored: Stored,
  query: URLSearchParams,
  warnings: readonly string[],
  status: number,
): Response {
  const presentation = presentationOf(request.headers.get("accept"));
  const warning = warnings.map((text) => `299 - ${JSON.stringify(text)}`).join(", ");
  return answer(engine, type, stored, presentation, query, status, {
    ...(warning !== "" && { warning }),
  });
}

async function servePut(
  engine: Engine,
  request: Request,
  target: Target,
  query: URLSearchParams,
): Promise<Response> {
  if (target.name === "") throw methodNotAllowed();
  const body = await readObject(request);
  const warnings: string[] = [];
  const options = updateOptions(request, target, query, warnings);
  const stored = replaceObject(engine, target.type, target.namespace, target.name, body, options);
  return written(engine, request, target, stored, query, warnings, 200);
}

async function servePatch(
  engine: Engine,
  request: Request,
  target: Target,
  query: URLSearchParams,
): Promise<Response> {
  if (target.name === "") throw methodNotAllowed();
  const { form, patch } = await readPatch(request);
  if (form === "apply" && !query.get("fieldManager"))
    throw badRequest("fieldManager: Required value: is required for apply patch");
  const warnings: string[] = [];
  const options = updateOptions(request, target, query, warnings);
  const { type, namespace, name } = target;
  const { stored, isNew } = patchObject(engine, type, namespace, name, form, patch, {
    ...options,
    force: isTrue(query.get("force")),
  });
  return written(engine, request, target, stored, query, warnings, isNew ? 201 : 200);
}

async function serveDelete(
  engine: Engine,
  request: Request,
  target: Target,
  query: URLSearchParams,
): Promise<Response> {
  if (target.subresource !== "") throw methodNotAllowed();
  const options = readDeleteOptions(await readOptionalObject(request), query);
  if (target.name === "") return deleteCollection(engine, target, query, options);
  const { type, namespace, name } = target;
  const { stored, isGone } = deleteObject(engine, type, namespace, name, options);
  // Pods come back as objects even when they are gone; the others as a Status that names the uid.
  if (!isGone || type.kind === "Pod") return json(servedJson(type, stored));
  return jsonOf({
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Success",
    details: {
      name,
      ...(type.group !== "" && { group: type.group }),
      kind: type.plural,
      uid: stored.object.metadata.uid,
    },
  });
}

function deleteCollection(
  engine: Engine,
  target: Target,
  query: URLSearchParams,
  options: DeleteOptions,
): Response {
  const { type } = target;
  const { items, revision } = listObjects(engine, type, selectionIn(target, query));
  const deleted: KubeObject[] = items.map(({ object }) => {
    const { namespace = "", name } = object.metadata;
    return servedObject(type, deleteObject(engine, type, namespace, name, options).stored);
  });
  return jsonOf({
    kind: type.listKind,
    apiVersion: apiVersionOfType(type),
    metadata: { resourceVersion: String(revision) },
    items: deleted,
  });
}

function selectionIn(target: Target, query: URLSearchParams): Selection {
  const { type, namespace } = target;
  return selectionOf(type, namespace, query.get("labelSelector") ?? "", query.get("fieldSelector") ?? "");
}

export function writeOptions(request: Request, query: URLSearchParams, warnings: string[]): UpdateOptions {
  const validation = query.get("fieldValidation");
  const dryRun = query.getAll("dryRun").filter((value) => value !== "");
  if (dryRun.some((value) => value !== "All")) {
    throw badRequest(`invalid dryRun value ${JSON.stringify(dryRun)}: only "All" is supported`);
  }
  // Without a name of its own the client's program stands for it: "kubectl/v1.33.1 (linux/amd64)".
  const agent = (request.headers.get("user-agent") ?? "").split("/")[0];
  return {
    fieldManager: query.get("fieldManager") || agent || "unknown",
    dryRun: dryRun.length > 0,
    fieldValidation:
      (["Strict", "Warn", "Ignore"] as const).find((each) => each === validation) ??
      ("Warn" satisfies FieldValidation),
    warn: (text) => warnings.push(text),
  };
}

function updateOptions(
  request: Request,
  target: Target,
  query: URLSearchParams,
  warnings: string[],
): UpdateOptions {
  const options = writeOptions(request, query, warnings);
  return target.subresource === "status" ? { ...options, subresource: "status" } : options;
}

function isTrue(text: string | null): boolean {
  return text === "true" || text === "1";
}

function wholeNumber(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name);
  if (text === null || text === "") return otherwise;
  const value = Number(text);
  if (!Number.isInteger(value) || value < 0)
    throw badRequest(`${name} must be a whole number, not "${text}"`);
  return value;
}

function includeOf(query: URLSearchParams): "None" | "Metadata" | "Object" {
  const asked = query.get("includeObject") ?? "Metadata";
  const known = (["None", "Metadata", "Object"] as const).find((each) => each === asked);
  if (known === undefined)
    throw badRequest(`unrecognized includeObject "${asked}": None, Metadata or Object`);
  return known;
}
