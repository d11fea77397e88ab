// Questions about oneself: `kubectl auth can-i` and `kubectl auth whoami`.
import { mayDo, mayReadPath } from "../authorization.ts";
import { type Engine, timestamp } from "../engine.ts";
import type { Identity } from "../identity.ts";
import { isObject, type JsonObject } from "../patch/json.ts";
import { jsonOf } from "./answers.ts";
import { readObject } from "./body.ts";
import type { ResourcePath } from "./target.ts";

/** Undefined when the path is not of a review. Everybody may ask about themselves. */
export async function serveReview(
  engine: Engine,
  request: Request,
  path: ResourcePath,
  identity: Identity,
): Promise<Response | undefined> {
  if (request.method !== "POST" || path.version !== "v1") return undefined;
  if (path.group === "authentication.k8s.io" && path.plural === "selfsubjectreviews") {
    return jsonOf(
      {
        kind: "SelfSubjectReview",
        apiVersion: "authentication.k8s.io/v1",
        metadata: { creationTimestamp: timestamp(engine.clock.now()) },
        status: { userInfo: { username: identity.user, groups: identity.groups } },
      },
      201,
    );
  }
  if (path.group !== "authorization.k8s.io" || path.plural !== "selfsubjectaccessreviews") return undefined;
  const body = await readObject(request);
  const spec = isObject(body) && isObject(body.spec) ? body.spec : {};
  return jsonOf(
    {
      kind: "SelfSubjectAccessReview",
      apiVersion: "authorization.k8s.io/v1",
      metadata: {},
      spec,
      status: { allowed: isAllowed(engine, identity, spec) },
    },
    201,
  );
}

function isAllowed(engine: Engine, identity: Identity, spec: JsonObject): boolean {
  const { resourceAttributes: resource, nonResourceAttributes: plain } = spec;
  if (isObject(plain)) return mayReadPath(engine, identity, String(plain.path ?? ""));
  if (!isObject(resource)) return false;
  const text = (name: string): string => (typeof resource[name] === "string" ? resource[name] : "");
  const subresource = text("subresource");
  return mayDo(engine, identity, {
    verb: text("verb"),
    group: text("group"),
    resource: subresource === "" ? text("resource") : `${text("resource")}/${subresource}`,
    namespace: text("namespace"),
    name: text("name"),
  });
}
