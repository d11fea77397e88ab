// What hangs below an object: scale, binding, eviction, token.
import type { Condition, ObjectReference, Pod, Scale } from "../../kube/resources.ts";
import { formatLabelSelector } from "../../kube/selectors.ts";
import { decodeObject } from "./decode.ts";
import { type Engine, timestamp } from "./engine.ts";
import { badRequest, conflict, field, invalid, notFound } from "./failures.ts";
import { getObject } from "./read.ts";
import type { Draft, ResourceType } from "./resource-type.ts";
import type { Stored } from "./store.ts";
import { readJsonPath } from "./types/json-path.ts";
import { podType } from "./types/pods.ts";
import { updateObject, type WriteOptions } from "./write.ts";

/** How a Scale is decoded. */
export const scaleForm = { group: "autoscaling", version: "v1", kind: "Scale", definition: "Scale" } as const;

/** The scale of a workload or of a custom resource that declares one. */
export function scaleOf(type: ResourceType, stored: Stored): Scale {
  const { metadata } = stored.object;
  const paths = type.custom?.scale;
  const number = (path: string): number => Number(readJsonPath(stored.object, path)[0] ?? 0);
  const spec = (stored.object as Draft).spec as { selector?: Parameters<typeof formatLabelSelector>[0] };
  const selector =
    paths === undefined
      ? formatLabelSelector(spec.selector)
      : paths.selectorPath === undefined
        ? ""
        : String(readJsonPath(stored.object, paths.selectorPath)[0] ?? "");
  return {
    apiVersion: "autoscaling/v1",
    kind: "Scale",
    metadata: {
      name: metadata.name,
      ...(metadata.namespace !== undefined && { namespace: metadata.namespace }),
      ...(metadata.uid !== undefined && { uid: metadata.uid }),
      ...(metadata.resourceVersion !== undefined && { resourceVersion: metadata.resourceVersion }),
      ...(metadata.creationTimestamp !== undefined && { creationTimestamp: metadata.creationTimestamp }),
    },
    spec: { replicas: number(paths?.replicasPath ?? ".spec.replicas") },
    status: { replicas: number(paths?.statusReplicasPath ?? ".status.replicas"), selector },
  };
}

/** Sets the replicas that `change` makes of the current scale. */
export function updateScale(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  name: string,
  change: (current: Scale) => unknown,
  options: WriteOptions = {},
): Scale {
  const current = getObject(engine, type, namespace, name);
  const { draft } = decodeObject(scaleForm, change(scaleOf(type, current)));
  const wanted = draft as unknown as Scale;
  const replicas = wanted.spec?.replicas ?? 0;
  if (replicas < 0) {
    const error = field.invalid("spec.replicas", replicas, "must be greater than or equal to 0");
    throw invalid({ group: "autoscaling", plural: "scale", kind: "Scale" }, name, [error]);
  }
  const { resourceVersion } = wanted.metadata;
  if (resourceVersion && resourceVersion !== current.object.metadata.resourceVersion) {
    throw conflict(type, name);
  }
  const path = type.custom?.scale?.replicasPath ?? ".spec.replicas";
  const stored = updateObject(
    engine,
    type,
    namespace,
    name,
    (object) => {
      setAt(object, path.split(".").filter(Boolean), replicas);
      return object;
    },
    options,
  );
  return scaleOf(type, stored);
}

function setAt(root: Draft, path: readonly string[], value: unknown): void {
  let at: Record<string, unknown> = root;
  for (const step of path.slice(0, -1)) {
    at[step] ??= {};
    at = at[step] as Record<string, unknown>;
  }
  const last = path.at(-1);
  if (last !== undefined) at[last] = value;
}

/** Puts a pod on a node: once, and for ever. */
export function bindPod(engine: Engine, namespace: string, name: string, body: unknown): void {
  const form = { group: "", version: "v1", kind: "Binding", definition: "Binding" };
  const target = decodeObject(form, body).draft.target as ObjectReference | undefined;
  if (!target?.name) throw badRequest("a binding needs target.name");
  const node = target.name;
  updateObject(engine, podType, namespace, name, (draft) => {
    const pod = draft as unknown as Pod;
    const why = pod.spec.nodeName
      ? `pod ${name} is already assigned to node "${pod.spec.nodeName}"`
      : pod.metadata.deletionTimestamp !== undefined
        ? `pod ${name} is being deleted, cannot be assigned to a host`
        : undefined;
    if (why !== undefined) throw conflict({ ...podType, plural: "pods/binding" }, name, why);
    pod.spec.nodeName = node;
    return pod;
  });
  const scheduled: Condition = {
    type: "PodScheduled",
    status: "True",
    lastProbeTime: null,
    lastTransitionTime: timestamp(engine.clock.now()),
  };
  updateObject(
    engine,
    podType,
    namespace,
    name,
    (draft) => {
      const pod = draft as unknown as Pod;
      const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
      pod.status = { ...pod.status, conditions: [...others, scheduled] };
      return pod;
    },
    { subresource: "status" },
  );
}

/** Throws NotFound when the pod does not run on any node. */
export function containerForLog(pod: Pod, asked: string | null): string {
  const names = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(({ name }) => name);
  const annotated = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  if (asked !== null && asked !== "") {
    if (names.includes(asked)) return asked;
    throw badRequest(`container ${asked} is not valid for pod ${pod.metadata.name}`);
  }
  if (pod.spec.containers.length === 1) return names[0] ?? "";
  if (annotated !== undefined && names.includes(annotated)) return annotated;
  const init = pod.spec.initContainers?.map(({ name }) => name) ?? [];
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${pod.spec.containers.map(({ name }) => name).join(" ")}]${init.length > 0 ? ` or one of the init containers: [${init.join(" ")}]` : ""}`,
  );
}

export function existingPod(engine: Engine, namespace: string, name: string): Pod {
  const stored = engine.store.get(podType.collection, namespace, name);
  if (stored === undefined) throw notFound(podType, name);
  return stored.object as Pod;
}
