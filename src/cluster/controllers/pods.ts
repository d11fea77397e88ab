import type { KubeObject, ObjectMeta, OwnerReference } from "../../kube/objects.ts";
import type { Condition, IntOrString, LabelSelector, Pod, PodTemplateSpec } from "../../kube/resources.ts";
import { pods as podResource } from "../../kube/resources.ts";
import { selects } from "../../kube/selectors.ts";
import { canonicalJson, nameLetters, nameSuffix, type PlanContext, type Write } from "./plan.ts";

/** What workload controllers ask of pods, templates and owners. */

export function conditionOf(
  object: { status?: { conditions?: Condition[] } },
  type: string,
): Condition | undefined {
  return object.status?.conditions?.find((condition) => condition.type === type);
}

export const isReady = (pod: Pod): boolean => conditionOf(pod, "Ready")?.status === "True";

/** When the pod has been Ready for `minReadySeconds` (ms since the epoch); undefined while it is not Ready. */
export function availableAt(pod: Pod, minReadySeconds: number): number | undefined {
  const ready = conditionOf(pod, "Ready");
  if (ready?.status !== "True") return undefined;
  if (minReadySeconds === 0) return 0;
  return Date.parse(ready.lastTransitionTime ?? "") + minReadySeconds * 1000;
}

export function isAvailable(pod: Pod, minReadySeconds: number, now: number): boolean {
  const at = availableAt(pod, minReadySeconds);
  return at !== undefined && at <= now;
}

/** Not on its way out and not finished. */
export function isActive(pod: Pod): boolean {
  const phase = pod.status?.phase;
  return pod.metadata.deletionTimestamp === undefined && phase !== "Succeeded" && phase !== "Failed";
}

export function controllerOf(object: { metadata: ObjectMeta }): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}

export function ownerReference(owner: KubeObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? "",
    controller: true,
    blockOwnerDeletion: true,
  };
}

/** A number of things: as it is, or a percentage of `total` rounded up or down. */
export function countOf(value: IntOrString, total: number, round: "up" | "down"): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/.exec(value)?.[1];
  if (percent === undefined) return Number(value);
  const exact = (Number(percent) * total) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}

/** A pod of the template, owned by `owner`. */
export function podFromTemplate(
  owner: KubeObject,
  template: PodTemplateSpec,
  labels: Readonly<Record<string, string>>,
  context: PlanContext,
): Pod {
  const { annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${owner.metadata.name}-${nameSuffix(context.random)}`,
      generateName: `${owner.metadata.name}-`,
      namespace: owner.metadata.namespace ?? "default",
      labels: { ...template.metadata?.labels, ...labels },
      ...(annotations !== undefined && { annotations }),
      ...(finalizers !== undefined && { finalizers }),
      ownerReferences: [ownerReference(owner)],
    },
    spec: structuredClone(template.spec),
  };
}

/**
 * A short name for a template: equal templates have equal hashes. FNV-1a over sorted JSON, written with the
 * letters of generated names as Kubernetes does it; the values differ from those of a real cluster.
 */
export function templateHash(template: PodTemplateSpec, collisionCount = 0): string {
  let hash = 0x811c9dc5;
  for (const letter of canonicalJson(template) + (collisionCount === 0 ? "" : collisionCount)) {
    hash = Math.imul(hash ^ letter.charCodeAt(0), 0x01000193) >>> 0;
  }
  return [...String(hash)].map((digit) => nameLetters[digit.charCodeAt(0) % nameLetters.length]).join("");
}

/** Which of the candidates an owner has, and the patches that adopt what it should have and let go of the rest. */
export function claim<T extends KubeObject>(
  owner: KubeObject & { spec: { selector: LabelSelector } },
  candidates: readonly T[],
  write: (object: T, ownerReferences: OwnerReference[]) => Write,
): { readonly owned: T[]; readonly writes: Write[] } {
  const owned: T[] = [];
  const writes: Write[] = [];
  for (const object of candidates) {
    const controller = controllerOf(object);
    const matching = selects(owner.spec.selector, object.metadata.labels);
    const references = object.metadata.ownerReferences ?? [];
    if (controller !== undefined) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (matching) owned.push(object);
      else if (owner.metadata.deletionTimestamp === undefined) {
        writes.push(
          write(
            object,
            references.filter((reference) => reference !== controller),
          ),
        );
      }
    } else if (
      matching &&
      owner.metadata.deletionTimestamp === undefined &&
      object.metadata.deletionTimestamp === undefined
    ) {
      writes.push(write(object, [...references, ownerReference(owner)]));
    }
  }
  return { owned, writes };
}

/** The patch of a pod's owners; it fails when the pod has changed meanwhile. */
export function podOwnersWrite(pod: Pod, ownerReferences: OwnerReference[]): Write {
  return {
    kind: "patch",
    resource: podResource,
    name: pod.metadata.name,
    namespace: pod.metadata.namespace ?? "default",
    patch: { metadata: { resourceVersion: pod.metadata.resourceVersion, ownerReferences } },
  };
}
