// patch: the four kinds of patches on a stored object.
import { EniverseError } from "../../base/error.ts";
import type { ManagedFieldsEntry } from "../../kube/objects.ts";
import { type Engine, timestamp } from "./engine.ts";
import { badRequest, unsupportedMediaType } from "./failures.ts";
import { applyOwned } from "./ownership.ts";
import { applyConfiguration } from "./patch/apply-patch.ts";
import { isObject, type Json, type JsonObject } from "./patch/json.ts";
import { applyJsonPatch } from "./patch/json-patch.ts";
import { applyMergePatch } from "./patch/merge-patch.ts";
import { applyStrategicMerge } from "./patch/strategic-merge.ts";
import type { ResourceType } from "./resource-type.ts";
import type { Shape } from "./schema/shape.ts";
import type { Stored } from "./store.ts";
import { createObject, type UpdateOptions, updateObject } from "./write.ts";

/** By the media type of the patch. */
export const patchMediaTypes = {
  "application/json-patch+json": "json",
  "application/merge-patch+json": "merge",
  "application/strategic-merge-patch+json": "strategic",
  "application/apply-patch+yaml": "apply",
} as const;

export type PatchForm = (typeof patchMediaTypes)[keyof typeof patchMediaTypes];

export interface PatchOptions extends UpdateOptions {
  /** Lets a server-side apply take fields from others. */
  readonly force?: boolean;
}

export interface Patched {
  readonly stored: Stored;
  /** Only by a server-side apply. */
  readonly isNew: boolean;
}

export function patchObject(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  name: string,
  form: PatchForm,
  patch: unknown,
  options: PatchOptions = {},
): Patched {
  if (form === "apply" && options.subresource === undefined) {
    return applyObject(engine, type, namespace, name, patch, options);
  }
  const change = (current: unknown): unknown => applyPatch(type, current, form, patch);
  return { stored: updateObject(engine, type, namespace, name, change, options), isNew: false };
}

/** Server-side apply: makes the object, or changes what the manager owns. */
function applyObject(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  name: string,
  patch: unknown,
  options: PatchOptions,
): Patched {
  const { fieldManager: manager, force = false } = options;
  if (manager === undefined) throw badRequest("fieldManager is required for apply patch");
  if (!isObject(patch)) throw badRequest("the patch must be an object");
  const own = structuredClone(patch) as JsonObject;
  const writer = { manager, time: timestamp(engine.clock.now()) };
  if (engine.store.get(type.collection, namespace, name) === undefined) {
    const metadata = isObject(own.metadata) ? own.metadata : {};
    const { object, managedFields } = applyOwned(type, undefined, own, writer, force);
    const body = { ...object, metadata: { ...metadata, name } };
    const made = { ...options, managedFields: () => managedFields };
    return { stored: createObject(engine, type, namespace, body, made), isNew: true };
  }
  let owners: ManagedFieldsEntry[] = [];
  const change = (current: unknown): unknown => {
    const { object, managedFields } = applyOwned(type, current as JsonObject, own, writer, force);
    owners = managedFields;
    return object;
  };
  const changed = { ...options, managedFields: () => owners };
  return { stored: updateObject(engine, type, namespace, name, change, changed), isNew: false };
}

/** The patched value; the current one is not changed. Throws BadRequest or UnsupportedMediaType. */
export function applyPatch(
  type: Pick<ResourceType, "definition">,
  current: unknown,
  form: PatchForm,
  patch: unknown,
): unknown {
  const shape: Shape | undefined =
    type.definition === undefined ? undefined : { is: "object", name: type.definition };
  try {
    if (form === "json") return applyJsonPatch(current as Json, patch);
    if (!isObject(patch)) throw badRequest("the patch must be an object");
    // The patch's own values go into the object: a copy keeps the caller's patch its own.
    const own = structuredClone(patch) as JsonObject;
    if (form === "merge") return applyMergePatch(current as Json, own);
    if (form === "apply") return applyConfiguration(current as JsonObject, own, shape);
    if (shape === undefined) {
      const known = Object.keys(patchMediaTypes).filter((each) => !each.includes("strategic"));
      throw unsupportedMediaType("application/strategic-merge-patch+json", known);
    }
    return applyStrategicMerge(current as JsonObject, own, shape);
  } catch (error) {
    if (error instanceof EniverseError && error.parts.facts?.status === undefined) {
      throw badRequest(error.parts.found ?? error.message);
    }
    throw error;
  }
}
