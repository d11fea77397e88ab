// create and update: the way of a draft into the store.
import type { KubeObject, ManagedFieldsEntry, ObjectMeta } from "../../kube/objects.ts";
import type { Namespace } from "../../kube/resources.ts";
import { type Decoded, decodeObject } from "./decode.ts";
import { copyOf, type Engine, nameSuffix, newUid, timestamp, typeContext } from "./engine.ts";
import { alreadyExists, badRequest, conflict, forbidden, invalid, notFound } from "./failures.ts";
import { asJson, ownersAfterUpdate } from "./ownership.ts";
import { equalJson } from "./patch/json.ts";
import { removeNow } from "./remove.ts";
import type { Draft, ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";
import { namespaceType } from "./types/cluster-objects.ts";
import { metadataErrors } from "./types/names.ts";
import { podType, priorityClassError } from "./types/pods.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface WriteOptions {
  /** Does everything but the write. */
  readonly dryRun?: boolean;
  readonly fieldValidation?: FieldValidation;
  /** Gets what the caller should be told, one sentence each. */
  readonly warn?: (text: string) => void;
  /** Who writes, for `metadata.managedFields`; the control plane itself when absent. */
  readonly fieldManager?: string;
  /** The owners that a server-side apply has worked out. */
  readonly managedFields?: () => ManagedFieldsEntry[];
}

export function createObject(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  body: unknown,
  options: WriteOptions = {},
): Stored {
  const draft = decodeForWrite(type, body, options);
  const context = typeContext(engine);
  setNewMetadata(engine, type, draft, namespace);
  const space = type.namespaced ? existingNamespace(engine, namespace) : undefined;
  type.custom?.prune(draft);
  // A node announces itself with its status; everything else begins without one.
  if (type.subresources.includes("status") && type.kind !== "Node") delete draft.status;
  type.defaults?.(draft);
  type.admitNew?.(draft, context);
  const missingClass = type === podType ? priorityClassError(draft, context) : undefined;
  if (missingClass !== undefined) {
    throw forbidden(
      type,
      draft.metadata.name,
      `no PriorityClass with name ${draft.spec === undefined ? "" : (draft.spec as { priorityClassName?: string }).priorityClassName} was found`,
    );
  }
  if (options.managedFields !== undefined) draft.metadata.managedFields = options.managedFields();
  refuseInvalid(type, draft, undefined);
  if (space?.metadata.deletionTimestamp !== undefined) {
    const name = space.metadata.name;
    throw forbidden(
      type,
      draft.metadata.name,
      `unable to create new content in namespace ${name} because it is being terminated`,
      [
        {
          reason: "NamespaceTerminating",
          message: `namespace ${name} is being terminated`,
          field: "metadata.namespace",
        },
      ],
    );
  }
  if (engine.store.get(type.collection, namespace, draft.metadata.name) !== undefined) {
    throw alreadyExists(type, draft.metadata.name);
  }
  return keep(engine, type, draft, options);
}

function decodeForWrite(type: ResourceType, body: unknown, options: WriteOptions): Draft {
  const { draft, unknown }: Decoded = decodeObject(type, body);
  if (unknown.length > 0) {
    const lines = unknown.map((path) => `unknown field "${path}"`);
    if (options.fieldValidation === "Strict") {
      throw badRequest(
        `${type.kind} in version "${type.version}" cannot be handled as a ${type.kind}: strict decoding error: ${lines.join(", ")}`,
      );
    }
    if (options.fieldValidation !== "Ignore") for (const line of lines) options.warn?.(line);
  }
  return type.toStored === undefined ? draft : type.toStored(draft);
}

function setNewMetadata(engine: Engine, type: ResourceType, draft: Draft, namespace: string): void {
  const { metadata } = draft;
  if (metadata.resourceVersion) {
    throw badRequest("resourceVersion should not be set on objects to be created");
  }
  if (type.namespaced) {
    if (metadata.namespace && metadata.namespace !== namespace) throw strangeNamespace();
    metadata.namespace = namespace;
  } else delete metadata.namespace;
  if (!metadata.name && metadata.generateName) {
    const prefix = metadata.generateName.slice(0, 58);
    do metadata.name = `${prefix}${nameSuffix(engine.random)}`;
    while (engine.store.get(type.collection, namespace, metadata.name) !== undefined);
  }
  metadata.uid = newUid(engine.random);
  metadata.creationTimestamp = timestamp(engine.clock.now());
  if (type.hasGeneration) metadata.generation = 1;
  else delete metadata.generation;
  dropUnkept(metadata);
  delete metadata.deletionTimestamp;
  delete metadata.deletionGracePeriodSeconds;
}

/** What clients may send back but the server does not keep. */
function dropUnkept(metadata: ObjectMeta & { selfLink?: unknown }): void {
  delete metadata.managedFields;
  delete metadata.selfLink;
  for (const field of ["labels", "annotations", "finalizers", "ownerReferences"] as const) {
    const value = metadata[field];
    if (value !== undefined && Object.keys(value).length === 0) delete metadata[field];
  }
}

function strangeNamespace(): Error {
  return badRequest("the namespace of the provided object does not match the namespace sent on the request");
}

function existingNamespace(engine: Engine, name: string): Namespace {
  const found = engine.store.get(namespaceType.collection, "", name);
  if (found === undefined) throw notFound(namespaceType, name);
  return found.object as Namespace;
}

function refuseInvalid(type: ResourceType, draft: Draft, before: KubeObject | undefined): void {
  const errors = [
    ...metadataErrors(draft.metadata, type.namespaced, type.nameForm ?? "subdomain"),
    ...(type.custom?.validate(draft) ?? []),
    ...(type.validate?.(draft, before) ?? []),
  ];
  if (errors.length > 0) throw invalid(type, draft.metadata.name ?? "", errors);
}

function keep(engine: Engine, type: ResourceType, draft: Draft, options: WriteOptions): Stored {
  if (options.dryRun !== true) return engine.store.put(type.collection, draft);
  return { revision: engine.store.revision(), object: draft, json: JSON.stringify(draft) };
}

export interface UpdateOptions extends WriteOptions {
  readonly subresource?: "status";
}

/**
 * Replaces an object by what `change` makes of it. `change` gets a copy in the served form and returns the wanted
 * object; when that names a resourceVersion or uid, they must be the current ones.
 */
export function updateObject(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  name: string,
  change: (current: Draft) => unknown,
  options: UpdateOptions = {},
): Stored {
  const stored = engine.store.get(type.collection, namespace, name);
  if (stored === undefined) throw notFound(type, name);
  const before = stored.object;
  const current = copyOf<Draft>(stored);
  const served = type.toServed === undefined ? current : (structuredClone(type.toServed(current)) as Draft);
  const draft = decodeForWrite(type, change(served), options);
  checkIdentity(type, draft, before, namespace, name);
  carryOver(draft, before);
  if (options.subresource === "status") keepAllButStatus(type, draft, before);
  else if (type.subresources.includes("status")) restore(draft, before, "status");
  type.custom?.prune(draft);
  type.defaults?.(draft);
  type.admitUpdate?.(draft, before, typeContext(engine));
  setOwners(engine, type, draft, before, options);
  if (type.hasGeneration) {
    const isChanged = !equalJson(specOf(type, draft), specOf(type, before));
    draft.metadata.generation = (before.metadata.generation ?? 0) + (isChanged ? 1 : 0);
  }
  if (sameButForRevision(draft, before)) return stored;
  refuseInvalid(type, draft, before);
  const { deletionTimestamp, finalizers = [], deletionGracePeriodSeconds = 0 } = draft.metadata;
  const isLast = deletionTimestamp !== undefined && finalizers.length === 0;
  if (isLast && deletionGracePeriodSeconds === 0 && !keepsTerminating(type, draft)) {
    return options.dryRun === true ? stored : removeNow(engine, type, draft);
  }
  return keep(engine, type, draft, options);
}

function setOwners(
  engine: Engine,
  type: ResourceType,
  draft: Draft,
  before: KubeObject,
  { managedFields, fieldManager, subresource }: UpdateOptions,
): void {
  const writer = { manager: fieldManager ?? "control-plane", time: timestamp(engine.clock.now()) };
  const owners =
    subresource === "status"
      ? before.metadata.managedFields
      : (managedFields?.() ?? ownersAfterUpdate(type, asJson(before), asJson(draft), writer));
  if (owners !== undefined && owners.length > 0) draft.metadata.managedFields = owners;
}

/** A namespace goes when its contents are gone, which its own finalizer list says. */
function keepsTerminating(type: ResourceType, draft: Draft): boolean {
  if (type !== namespaceType) return false;
  return ((draft as unknown as Namespace).spec?.finalizers ?? []).length > 0;
}

function checkIdentity(
  type: ResourceType,
  draft: Draft,
  before: KubeObject,
  namespace: string,
  name: string,
): void {
  const { metadata } = draft;
  if (metadata.name !== undefined && metadata.name !== name) {
    throw badRequest(
      `the name of the object (${metadata.name}) does not match the name on the URL (${name})`,
    );
  }
  if (type.namespaced && metadata.namespace && metadata.namespace !== namespace) throw strangeNamespace();
  if (metadata.uid && metadata.uid !== before.metadata.uid) {
    throw conflict(
      type,
      name,
      `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${before.metadata.uid}`,
    );
  }
  if (metadata.resourceVersion && metadata.resourceVersion !== before.metadata.resourceVersion) {
    throw conflict(type, name);
  }
}

/** The parts of the metadata that no write may change. */
function carryOver(draft: Draft, before: KubeObject): void {
  const { metadata } = draft;
  dropUnkept(metadata);
  const fixed = [
    "name",
    "namespace",
    "uid",
    "creationTimestamp",
    "generateName",
    "generation",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
  ] as const;
  for (const field of fixed) {
    const value = before.metadata[field];
    if (value === undefined) delete metadata[field];
    else Object.assign(metadata, { [field]: value });
  }
}

function keepAllButStatus(type: ResourceType, draft: Draft, before: KubeObject): void {
  const old = structuredClone(before) as Draft;
  for (const field of Object.keys(draft)) {
    if (field !== "status" && field !== "metadata" && field !== "apiVersion" && field !== "kind")
      delete draft[field];
  }
  for (const [field, value] of Object.entries(old)) {
    if (field !== "status" && field !== "metadata") draft[field] = value;
  }
  // As in Kubernetes: the built-in types let labels and annotations through, custom resources nothing.
  if (type.custom !== undefined) draft.metadata = old.metadata;
}

function restore(draft: Draft, before: KubeObject, field: string): void {
  const old = (before as Draft)[field];
  if (old === undefined) delete draft[field];
  else draft[field] = structuredClone(old);
}

/** What counts as the spec of an object: for custom resources everything but metadata and status. */
function specOf(type: ResourceType, object: KubeObject): unknown {
  if (type.custom === undefined) return (object as Draft).spec;
  const { metadata, status, ...rest } = object as Draft;
  return type.subresources.includes("status") ? rest : { ...rest, status };
}

function sameButForRevision(draft: Draft, before: KubeObject): boolean {
  const resourceVersion = before.metadata.resourceVersion ?? "";
  return equalJson({ ...draft, metadata: { ...draft.metadata, resourceVersion } }, before);
}

/** What PUT does when `change` of {@link updateObject} is just the body. */
export function replaceObject(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  name: string,
  body: unknown,
  options: UpdateOptions = {},
): Stored {
  return updateObject(engine, type, namespace, name, () => structuredClone(body), options);
}
