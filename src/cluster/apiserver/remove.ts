// delete: at once, after a grace period (pods), or when the last finalizer is gone; and what becomes of dependents.
import type { KubeObject } from "../../kube/objects.ts";
import type { Namespace, Pod } from "../../kube/resources.ts";
import { copyOf, type Engine, timestamp } from "./engine.ts";
import { badRequest, conflict, forbidden, notFound } from "./failures.ts";
import { isObject } from "./patch/json.ts";
import type { Draft, ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";

/** meta/v1 DeleteOptions. */
export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly dryRun?: boolean;
}

export interface Deletion {
  readonly stored: Stored;
  /** False while a grace period runs or finalizers are held. */
  readonly isGone: boolean;
}

/** From the body and the query of a DELETE; the body wins. Throws BadRequest. */
export function readDeleteOptions(body: unknown, query: URLSearchParams): DeleteOptions {
  const given = isObject(body) ? body : {};
  const preconditions = isObject(given.preconditions) ? given.preconditions : {};
  const grace = given.gracePeriodSeconds ?? numberOf(query.get("gracePeriodSeconds"));
  const policy = given.propagationPolicy ?? query.get("propagationPolicy") ?? undefined;
  const orphans = given.orphanDependents ?? (query.get("orphanDependents") === "true" || undefined);
  if (grace !== undefined && grace !== null && (!Number.isInteger(grace) || Number(grace) < 0)) {
    throw badRequest(`gracePeriodSeconds must be 0 or more seconds, not ${JSON.stringify(grace)}`);
  }
  if (policy !== undefined && policy !== "Background" && policy !== "Foreground" && policy !== "Orphan") {
    throw badRequest(`invalid propagationPolicy ${JSON.stringify(policy)}: Orphan, Background or Foreground`);
  }
  const propagationPolicy = policy ?? (orphans === true ? "Orphan" : undefined);
  return {
    ...(typeof grace === "number" && { gracePeriodSeconds: grace }),
    ...(propagationPolicy !== undefined && { propagationPolicy }),
    ...(typeof preconditions.uid === "string" && { uid: preconditions.uid }),
    ...(typeof preconditions.resourceVersion === "string" && {
      resourceVersion: preconditions.resourceVersion,
    }),
    dryRun: query.has("dryRun") || (Array.isArray(given.dryRun) && given.dryRun.length > 0),
  };
}

function numberOf(text: string | null): number | undefined {
  return text === null ? undefined : Number(text);
}

/** Namespaces that the cluster cannot do without. */
const lasting = ["default", "kube-system", "kube-public"];

/** Throws NotFound, Conflict (a precondition) or Forbidden. */
export function deleteObject(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  name: string,
  options: DeleteOptions = {},
): Deletion {
  const stored = engine.store.get(type.collection, namespace, name);
  if (stored === undefined) throw notFound(type, name);
  const { metadata } = stored.object;
  if (options.uid !== undefined && options.uid !== metadata.uid) {
    throw conflict(
      type,
      name,
      `Precondition failed: UID in precondition: ${options.uid}, UID in object meta: ${metadata.uid}`,
    );
  }
  if (options.resourceVersion !== undefined && options.resourceVersion !== metadata.resourceVersion) {
    throw conflict(type, name);
  }
  const isNamespace = type.collection === "namespaces";
  if (isNamespace && lasting.includes(name)) throw forbidden(type, name, "this namespace may not be deleted");
  if (options.dryRun === true) return { stored, isGone: false };

  const draft = copyOf<Draft>(stored);
  addPropagation(draft, options.propagationPolicy);
  const graceSeconds = type.collection === "pods" ? podGrace(stored.object as Pod, options) : 0;
  const held = (draft.metadata.finalizers ?? []).length > 0 || isNamespace || graceSeconds > 0;
  if (!held) return { stored: removeNow(engine, type, draft), isGone: true };
  const isKnown =
    metadata.deletionTimestamp !== undefined && graceSeconds >= (metadata.deletionGracePeriodSeconds ?? 0);
  if (isKnown) return { stored, isGone: false };
  draft.metadata.deletionTimestamp = timestamp(engine.clock.now() + graceSeconds * 1000);
  draft.metadata.deletionGracePeriodSeconds = graceSeconds;
  if (draft.metadata.generation !== undefined) draft.metadata.generation += 1;
  if (isNamespace) (draft as unknown as Namespace).status = { phase: "Terminating" };
  return { stored: engine.store.put(type.collection, draft), isGone: false };
}

/** A pod that runs nowhere needs no time to end. */
function podGrace(pod: Pod, options: DeleteOptions): number {
  const phase = pod.status?.phase;
  if (!pod.spec.nodeName || phase === "Succeeded" || phase === "Failed") return 0;
  return options.gracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
}

function addPropagation(draft: Draft, policy: DeleteOptions["propagationPolicy"]): void {
  const finalizer =
    policy === "Orphan" ? "orphan" : policy === "Foreground" ? "foregroundDeletion" : undefined;
  if (finalizer === undefined || draft.metadata.finalizers?.includes(finalizer) === true) return;
  draft.metadata.finalizers = [...(draft.metadata.finalizers ?? []), finalizer];
}

/** Takes the object out of the store, whatever holds it. */
export function removeNow(engine: Engine, type: ResourceType, last: KubeObject): Stored {
  return engine.store.remove(type.collection, last.metadata.namespace ?? "", last.metadata.name, last);
}
