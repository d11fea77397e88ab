// The requests below an object: scale, log, binding, eviction, token.
import { messageOf } from "../../../base/error.ts";
import { statusOf } from "../../../kube/status-errors.ts";
import { evictPod } from "../disruption.ts";
import type { Engine } from "../engine.ts";
import { timestamp } from "../engine.ts";
import { badRequest, internalError, methodNotAllowed, noSuchPath } from "../failures.ts";
import { serviceAccountIdentity } from "../identity.ts";
import type { ReadPodLog } from "../options.ts";
import { isObject } from "../patch/json.ts";
import { applyPatch } from "../patching.ts";
import { getObject } from "../read.ts";
import { bindPod, containerForLog, existingPod, scaleForm, scaleOf, updateScale } from "../subresources.ts";
import type { TokenSigner } from "../tokens.ts";
import { jsonOf } from "./answers.ts";
import { readObject, readOptionalObject, readPatch } from "./body.ts";
import { type ExecParts, serveExec } from "./exec.ts";
import { writeOptions } from "./resources.ts";
import type { Target } from "./target.ts";

export interface SubresourceParts extends ExecParts {
  readonly tokens: TokenSigner;
  readonly readPodLog: ReadPodLog | undefined;
}

const success = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };

/** Undefined when the subresource is one that {@link serveResource} answers. */
export async function serveSubresource(
  parts: SubresourceParts,
  request: Request,
  target: Target,
  query: URLSearchParams,
): Promise<Response | undefined> {
  const { type, subresource, namespace, name } = target;
  if (!type.subresources.some((each) => each === subresource)) {
    if (subresource === "" || subresource === "status") return undefined;
    throw noSuchPath();
  }
  switch (subresource) {
    case "scale":
      return serveScale(parts.engine, request, target, query);
    case "log":
      return serveLog(parts, request, target, query);
    case "exec":
      return serveExec(parts, request, target, query);
    case "attach":
      throw badRequest(
        `attach is not served here: what containers write goes to their logs. Use: kubectl logs -f ${name} -n ${namespace}, or kubectl exec`,
      );
    case "portforward":
      throw badRequest(
        `port-forward is not served here: this machine is outside the VPC. Use: eniverse exec ${name} -n ${namespace} -- curl http://127.0.0.1:PORT/`,
      );
    case "binding":
      requireMethod(request, "POST");
      bindPod(parts.engine, namespace, name, await readObject(request));
      return jsonOf(success, 201);
    case "eviction":
      requireMethod(request, "POST");
      evictPod(parts.engine, namespace, name, await readOptionalObject(request));
      return jsonOf(success, 201);
    case "token":
      requireMethod(request, "POST");
      return serveToken(parts, target, await readObject(request));
    default:
      return undefined;
  }
}

function requireMethod(request: Request, method: string): void {
  if (request.method !== method) throw methodNotAllowed();
}

async function serveScale(
  engine: Engine,
  request: Request,
  { type, namespace, name }: Target,
  query: URLSearchParams,
): Promise<Response> {
  if (request.method === "GET") return jsonOf(scaleOf(type, getObject(engine, type, namespace, name)));
  const options = writeOptions(request, query, []);
  if (request.method === "PUT") {
    const body = await readObject(request);
    return jsonOf(updateScale(engine, type, namespace, name, () => body, options));
  }
  requireMethod(request, "PATCH");
  const { form, patch } = await readPatch(request);
  const change = (current: unknown): unknown => applyPatch(scaleForm, current, form, patch);
  return jsonOf(updateScale(engine, type, namespace, name, change, options));
}

async function serveLog(
  { engine, readPodLog }: SubresourceParts,
  request: Request,
  { namespace, name }: Target,
  query: URLSearchParams,
): Promise<Response> {
  requireMethod(request, "GET");
  const pod = existingPod(engine, namespace, name);
  const container = containerForLog(pod, query.get("container"));
  const node = pod.spec.nodeName;
  // A pod that is nowhere has said nothing.
  if (node === undefined || node === "")
    return new Response("", { headers: { "content-type": "text/plain" } });
  if (readPodLog === undefined) throw internalError("this server has no way to the nodes' logs");
  const isTrue = (option: string): boolean => query.get(option) === "true";
  const number = (option: string): number | undefined => {
    const text = query.get(option);
    if (text === null || text === "") return undefined;
    if (!/^\d+$/.test(text)) throw badRequest(`${option} must be 0 or more, not "${text}"`);
    return Number(text);
  };
  const tailLines = number("tailLines");
  const sinceMs = sinceOf(number("sinceSeconds"), query.get("sinceTime"), engine.clock.now());
  const limitBytes = number("limitBytes");
  try {
    const log = await readPodLog(
      { namespace, name, uid: pod.metadata.uid ?? "", node },
      {
        container,
        follow: isTrue("follow"),
        previous: isTrue("previous"),
        timestamps: isTrue("timestamps"),
        ...(tailLines !== undefined && { tailLines }),
        ...(sinceMs !== undefined && { sinceMs }),
        ...(limitBytes !== undefined && { limitBytes }),
        signal: request.signal,
      },
    );
    return new Response(log, { headers: { "content-type": "text/plain" } });
  } catch (error) {
    if (statusOf(error) !== undefined) throw error;
    throw badRequest(`container "${container}" in pod "${name}": ${messageOf(error)}`);
  }
}

function sinceOf(seconds: number | undefined, time: string | null, now: number): number | undefined {
  if (seconds !== undefined && time !== null)
    throw badRequest("at most one of sinceTime or sinceSeconds may be specified");
  if (seconds !== undefined) return now - seconds * 1000;
  if (time === null || time === "") return undefined;
  const at = Date.parse(time);
  if (Number.isNaN(at)) throw badRequest(`sinceTime must be a time as 2026-01-02T15:04:05Z, not "${time}"`);
  return at;
}

function serveToken({ engine, tokens }: SubresourceParts, target: Target, body: unknown): Response {
  const { type, namespace, name } = target;
  getObject(engine, type, namespace, name);
  const spec = isObject(body) && isObject(body.spec) ? body.spec : {};
  const lifetime = typeof spec.expirationSeconds === "number" ? spec.expirationSeconds : 3600;
  const token = tokens.sign(serviceAccountIdentity(namespace, name), lifetime);
  const expirationTimestamp = timestamp(engine.clock.now() + lifetime * 1000);
  return jsonOf(
    {
      kind: "TokenRequest",
      apiVersion: "authentication.k8s.io/v1",
      metadata: { name, namespace, creationTimestamp: timestamp(engine.clock.now()) },
      spec: { ...spec, expirationSeconds: lifetime },
      status: { token, expirationTimestamp },
    },
    201,
  );
}
