// Pods: initial status, quality of service, priority, tolerations that every pod gets.
import type { KubeObject } from "../../../kube/objects.ts";
import type { Container, Pod, PodSpec, PriorityClass, Toleration } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { type Draft, type ResourceType, resourceType, type TypeContext } from "../resource-type.ts";
import { podColumns } from "./pod-columns.ts";
import { defaultPodSpec } from "./pod-defaults.ts";
import { validatePodChange, validatePodSpec } from "./pod-validation.ts";

export const podType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "pods",
  kind: "Pod",
  shortNames: ["po"],
  categories: ["all"],
  subresources: ["status", "log", "exec", "attach", "portforward", "binding", "eviction"],
  selectableFields: [
    "spec.nodeName",
    "spec.restartPolicy",
    "spec.schedulerName",
    "spec.serviceAccountName",
    "spec.hostNetwork",
    "status.phase",
    "status.podIP",
    "status.nominatedNodeName",
  ],
  columns: podColumns,
  defaults: (draft) => {
    const pod = asPod(draft);
    if (pod.spec === undefined) return;
    defaultPodSpec(pod.spec);
    pod.spec.enableServiceLinks ??= true;
  },
  admitNew: (draft, context) => {
    const pod = asPod(draft);
    if (pod.spec === undefined) return;
    admitSpec(pod.spec, context);
    pod.status = { phase: "Pending", qosClass: qosClassOf(pod.spec) };
  },
  validate: (draft, before) => validatePod(asPod(draft), before),
});

function asPod(draft: Draft): Pod {
  return draft as unknown as Pod;
}

function validatePod(pod: Pod, before: KubeObject | undefined): FieldError[] {
  const errors = validatePodSpec(pod.spec, "spec");
  if (errors.length > 0 || before === undefined) return errors;
  return validatePodChange(pod.spec, (before as Pod).spec);
}

function admitSpec(spec: PodSpec, context: TypeContext): void {
  spec.serviceAccountName ??= "default";
  spec.serviceAccount = spec.serviceAccountName;
  const classes = context.all("priorityclasses.scheduling.k8s.io") as readonly PriorityClass[];
  const chosen =
    spec.priorityClassName === undefined
      ? classes.find((each) => each.globalDefault === true)
      : classes.find((each) => each.metadata.name === spec.priorityClassName);
  if (chosen !== undefined) spec.priorityClassName = chosen.metadata.name;
  spec.priority ??= chosen?.value ?? 0;
  spec.preemptionPolicy ??= chosen?.preemptionPolicy ?? "PreemptLowerPriority";
  for (const key of ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"]) {
    const tolerations = spec.tolerations ?? [];
    if (tolerations.some((toleration) => toleratesEviction(toleration, key))) continue;
    spec.tolerations = [
      ...tolerations,
      { key, operator: "Exists", effect: "NoExecute", tolerationSeconds: 300 },
    ];
  }
}

function toleratesEviction(toleration: Toleration, key: string): boolean {
  const sameKey = toleration.key === key || !toleration.key;
  return sameKey && (toleration.effect === "NoExecute" || !toleration.effect);
}

/** The name of the priority class of a pod must exist when the pod is made. */
export function priorityClassError(pod: Draft, context: TypeContext): FieldError | undefined {
  const name = asPod(pod).spec?.priorityClassName;
  if (name === undefined || name === "") return undefined;
  if (context.lookup("priorityclasses.scheduling.k8s.io", "", name) !== undefined) return undefined;
  return field.notFound("spec.priorityClassName", name);
}

function qosClassOf(spec: PodSpec): "Guaranteed" | "Burstable" | "BestEffort" {
  const containers = [...(spec.initContainers ?? []), ...(spec.containers ?? [])];
  const asks = containers.some(
    ({ resources }) =>
      Object.keys(resources?.requests ?? {}).length + Object.keys(resources?.limits ?? {}).length > 0,
  );
  if (!asks) return "BestEffort";
  return containers.every(isGuaranteed) ? "Guaranteed" : "Burstable";
}

function isGuaranteed({ resources }: Container): boolean {
  return ["cpu", "memory"].every((name) => {
    const limit = resources?.limits?.[name];
    return limit !== undefined && String(limit) === String(resources?.requests?.[name] ?? limit);
  });
}
