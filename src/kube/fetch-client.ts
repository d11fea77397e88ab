// The Kubernetes client over HTTP. It uses `fetch`, which connects on another thread: the first call must not be
// made while this thread is inside a foreign network namespace.
import { readFileSync } from "node:fs";
import { EniverseError, messageOf } from "../base/error.ts";
import type { KubeClient, ListOptions, PatchKind, WatchEvent } from "./client.ts";
import type { KubeObject, Resource } from "./objects.ts";
import { apiVersionOf, pathOf } from "./resources.ts";
import { errorOfStatus, isStatus } from "./status-errors.ts";

export interface KubeClientConfig {
  /** "https://10.0.1.5:443". */
  readonly server: string;
  /** PEM of the certificate authority; the system's trust store when absent. */
  readonly ca?: string;
  /** A file with it, read before the first call. */
  readonly caFile?: string;
  /** A bearer token, or where to get the current one (mounted tokens are renewed in place). */
  readonly token?: string | (() => string);
  /** A file with it, read before every call. */
  readonly tokenFile?: string;
  /** PEM of a client certificate and its key. */
  readonly clientCertificate?: { readonly cert: string; readonly key: string };
  /** The name to check the server's certificate against, when it is not the host of `server`. */
  readonly tlsServerName?: string;
  readonly userAgent?: string;
  /** For everything but watches; 30 s by default. */
  readonly requestTimeoutMs?: number;
}

const patchMediaTypes: Readonly<Record<PatchKind, string>> = {
  merge: "application/merge-patch+json",
  strategic: "application/strategic-merge-patch+json",
  json: "application/json-patch+json",
};

interface Call {
  readonly method: string;
  readonly path: string;
  readonly query?: URLSearchParams;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
  /** "create pods web-1": what an error says was attempted. */
  readonly attempted: string;
}

/** A client that makes no connection before the first call. */
export function createKubeClient(config: KubeClientConfig): KubeClient {
  const timeoutMs = config.requestTimeoutMs ?? 30_000;
  let tls: { readonly value: Tls | undefined } | undefined;
  const send = (call: Call): Promise<Response> => {
    tls ??= { value: tlsOf(config) };
    return request(config, tls.value, call);
  };
  const ask = async <T>(call: Call): Promise<T> => {
    const response = await send({ ...call, signal: AbortSignal.timeout(timeoutMs) });
    return (await readJson(response, call.attempted)) as T;
  };
  const at = (resource: Resource, object: KubeObject, subresource?: string): string =>
    pathOf(resource, object.metadata.namespace, object.metadata.name, subresource);
  const words = (verb: string, resource: Resource, name = ""): string =>
    `${verb} ${resource.plural} ${name}`.trimEnd();

  return {
    get: (resource, name, namespace) =>
      ask({
        method: "GET",
        path: pathOf(resource, namespace, name),
        attempted: words("get", resource, name),
      }),
    list: async <T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}) => {
      const list = await ask<{ items: T[] | null; metadata: { resourceVersion: string } }>({
        method: "GET",
        path: pathOf(resource, options.namespace),
        query: selectionQuery(options),
        attempted: words("list", resource),
      });
      // In a list the items of real API servers carry no kind of their own.
      const kind = { apiVersion: apiVersionOf(resource), kind: resource.kind };
      const items = (list.items ?? []).map((item) => ({ ...kind, ...item }));
      return { items, resourceVersion: list.metadata.resourceVersion };
    },
    watch: (resource, options) => watch(send, resource, options),
    create: (resource, object) =>
      ask({
        method: "POST",
        path: pathOf(resource, object.metadata.namespace),
        body: object,
        attempted: words("create", resource, object.metadata.name),
      }),
    update: (resource, object) =>
      ask({
        method: "PUT",
        path: at(resource, object),
        body: object,
        attempted: words("update", resource, object.metadata.name),
      }),
    updateStatus: (resource, object) =>
      ask({
        method: "PUT",
        path: at(resource, object, "status"),
        body: object,
        attempted: words("update the status of", resource, object.metadata.name),
      }),
    patch: (resource, name, patch, options = {}) =>
      ask({
        method: "PATCH",
        path: pathOf(resource, options.namespace, name, options.subresource),
        body: patch,
        contentType: patchMediaTypes[options.kind ?? "merge"],
        attempted: words("patch", resource, name),
      }),
    delete: async (resource, name, options = {}) => {
      const { gracePeriodSeconds } = options;
      await ask({
        method: "DELETE",
        path: pathOf(resource, options.namespace, name),
        ...(gracePeriodSeconds !== undefined && {
          body: { kind: "DeleteOptions", apiVersion: "v1", gracePeriodSeconds },
        }),
        attempted: words("delete", resource, name),
      });
    },
    version: () => ask({ method: "GET", path: "/version", attempted: "ask the API server's version" }),
  };
}

async function* watch<T extends KubeObject>(
  send: (call: Call) => Promise<Response>,
  resource: Resource<T>,
  options: ListOptions & { readonly resourceVersion: string; readonly signal?: AbortSignal },
): AsyncIterable<WatchEvent<T>> {
  const attempted = `watch ${resource.plural}`;
  const query = selectionQuery(options);
  query.set("watch", "true");
  query.set("allowWatchBookmarks", "true");
  query.set("resourceVersion", options.resourceVersion);
  try {
    const response = await send({
      method: "GET",
      path: pathOf(resource, options.namespace),
      query,
      attempted,
      ...(options.signal !== undefined && { signal: options.signal }),
    });
    if (!response.ok || response.body === null) await readJson(response, attempted);
    for await (const line of linesOf(response.body ?? new ReadableStream())) {
      yield watchEvent<T>(JSON.parse(line), attempted);
    }
  } catch (error) {
    // The caller ended it: that is no failure.
    if (options.signal?.aborted === true) return;
    throw error instanceof EniverseError ? error : unanswered(attempted, error);
  }
}

function watchEvent<T extends KubeObject>(event: unknown, attempted: string): WatchEvent<T> {
  const { type, object } = event as { type: string; object: T };
  if (type === "ADDED" || type === "MODIFIED" || type === "DELETED") return { type, object };
  if (type === "BOOKMARK") return { type, resourceVersion: object.metadata.resourceVersion ?? "" };
  if (isStatus(object)) throw errorOfStatus(attempted, object);
  throw new EniverseError("internal", { attempted, found: `an event of the type "${type}"` });
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    rest += decoder.decode(chunk, { stream: true });
    let end = rest.indexOf("\n");
    let start = 0;
    while (end >= 0) {
      if (end > start) yield rest.slice(start, end);
      start = end + 1;
      end = rest.indexOf("\n", start);
    }
    rest = rest.slice(start);
  }
}

async function request(config: KubeClientConfig, tls: Tls | undefined, call: Call): Promise<Response> {
  const query = call.query?.toString() ?? "";
  const token = tokenOf(config);
  try {
    return await fetch(`${config.server}${call.path}${query === "" ? "" : `?${query}`}`, {
      method: call.method,
      headers: {
        accept: "application/json",
        "user-agent": config.userAgent ?? "eniverse",
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(call.body !== undefined && { "content-type": call.contentType ?? "application/json" }),
      },
      ...(call.body !== undefined && { body: JSON.stringify(call.body) }),
      ...(call.signal !== undefined && { signal: call.signal }),
      ...(tls !== undefined && { tls }),
      // The runtime's own idle limit would end quiet watches.
      timeout: false,
    } as RequestInit);
  } catch (error) {
    throw unanswered(call.attempted, error);
  }
}

function tokenOf({ token, tokenFile }: KubeClientConfig): string | undefined {
  if (token !== undefined) return typeof token === "function" ? token() : token;
  return tokenFile === undefined ? undefined : readFileSync(tokenFile, "utf8").trim();
}

type Tls = Readonly<Record<string, unknown>>;

function tlsOf(config: KubeClientConfig): Tls | undefined {
  const { clientCertificate, tlsServerName } = config;
  const ca = config.ca ?? (config.caFile === undefined ? undefined : readFileSync(config.caFile, "utf8"));
  if (ca === undefined && clientCertificate === undefined) return undefined;
  return {
    ...(ca !== undefined && { ca }),
    ...clientCertificate,
    ...(tlsServerName !== undefined && { serverName: tlsServerName }),
  };
}

async function readJson(response: Response, attempted: string): Promise<unknown> {
  const text = await response.text().catch((error: unknown) => {
    throw unanswered(attempted, error);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = text;
  }
  if (response.ok) return value;
  if (isStatus(value)) throw errorOfStatus(attempted, { ...value, code: value.code ?? response.status });
  throw errorOfStatus(attempted, {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `the API server answered ${response.status}: ${text.slice(0, 200)}`,
    code: response.status,
  });
}

function unanswered(attempted: string, error: unknown): EniverseError {
  const isTimeout = error instanceof DOMException && error.name === "TimeoutError";
  return new EniverseError(isTimeout ? "timeout" : "unavailable", {
    attempted,
    found: isTimeout
      ? "the API server did not answer in time"
      : `no answer from the API server: ${messageOf(error)}`,
    cause: error,
  });
}

function selectionQuery({ labelSelector, fieldSelector }: ListOptions): URLSearchParams {
  const query = new URLSearchParams();
  if (labelSelector) query.set("labelSelector", labelSelector);
  if (fieldSelector) query.set("fieldSelector", fieldSelector);
  return query;
}
