// Namespaces, nodes, leases and priority classes.
import { isIP } from "node:net";
import type { Lease, Namespace, Node, PriorityClass } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson } from "../patch/json.ts";
import { type ResourceType, resourceType } from "../resource-type.ts";
import { ageColumn, column, integer, nameColumn, wide } from "./columns.ts";
import { labelErrors } from "./names.ts";
import { oneOf } from "./pod-validation.ts";

export const namespaceType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "namespaces",
  kind: "Namespace",
  namespaced: false,
  shortNames: ["ns"],
  subresources: ["status"],
  nameForm: "label",
  selectableFields: ["status.phase"],
  columns: [nameColumn, column<Namespace>("Status", ({ status }) => status?.phase ?? ""), ageColumn],
  defaults: (draft) => {
    draft.metadata.labels = {
      ...draft.metadata.labels,
      "kubernetes.io/metadata.name": draft.metadata.name,
    };
  },
  admitNew: (draft) => {
    draft.spec = { finalizers: ["kubernetes"] };
    draft.status = { phase: "Active" };
  },
});

export const nodeType: ResourceType = resourceType({
  group: "",
  version: "v1",
  plural: "nodes",
  kind: "Node",
  namespaced: false,
  shortNames: ["no"],
  subresources: ["status"],
  selectableFields: ["spec.unschedulable"],
  columns: [
    nameColumn,
    column<Node>("Status", nodeStatusText),
    column<Node>("Roles", nodeRolesText),
    ageColumn,
    column<Node>("Version", ({ status }) => status?.nodeInfo?.kubeletVersion ?? ""),
    column<Node>("Internal-IP", (node) => addressOf(node, "InternalIP"), wide),
    column<Node>("External-IP", (node) => addressOf(node, "ExternalIP"), wide),
    column<Node>("OS-Image", ({ status }) => status?.nodeInfo?.osImage || "<unknown>", wide),
    column<Node>("Kernel-Version", ({ status }) => status?.nodeInfo?.kernelVersion || "<unknown>", wide),
    column<Node>(
      "Container-Runtime",
      ({ status }) => status?.nodeInfo?.containerRuntimeVersion || "<unknown>",
      wide,
    ),
  ],
  validate: (draft, before) => validateNode(draft as unknown as Node, before as Node | undefined),
});

function validateNode(node: Node, before: Node | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, taint] of (node.spec?.taints ?? []).entries()) {
    const at = `spec.taints[${index}]`;
    if (!taint.key) errors.push(field.required(`${at}.key`));
    else errors.push(...labelErrors({ [taint.key]: taint.value ?? "" }, at));
    if (!taint.effect) errors.push(field.required(`${at}.effect`));
    errors.push(...oneOf(`${at}.effect`, taint.effect, ["NoSchedule", "PreferNoSchedule", "NoExecute"]));
    const same = `${taint.key}:${taint.effect}`;
    if (seen.has(same)) errors.push(field.duplicate(at, taint));
    seen.add(same);
  }
  for (const [index, { type, address }] of (node.status?.addresses ?? []).entries()) {
    const isAddress = type === "InternalIP" || type === "ExternalIP";
    if (isAddress && isIP(address) === 0) {
      errors.push(field.invalid(`status.addresses[${index}].address`, address, "must be a valid IP address"));
    }
  }
  const providerId = before?.spec?.providerID;
  if (providerId !== undefined && node.spec?.providerID !== providerId) {
    errors.push(
      field.forbidden("spec.providerID", 'node updates may not change providerID except from "" to valid'),
    );
  }
  return errors;
}

function nodeStatusText(node: Node): string {
  const ready = node.status?.conditions?.find((condition) => condition.type === "Ready");
  const text = ready === undefined ? "Unknown" : ready.status === "True" ? "Ready" : "NotReady";
  return node.spec?.unschedulable === true ? `${text},SchedulingDisabled` : text;
}

function nodeRolesText(node: Node): string {
  const prefix = "node-role.kubernetes.io/";
  const roles = Object.entries(node.metadata.labels ?? {}).flatMap(([key, value]) => {
    if (key.startsWith(prefix) && key.length > prefix.length) return [key.slice(prefix.length)];
    return key === "kubernetes.io/role" && value !== "" ? [value] : [];
  });
  return roles.length === 0 ? "<none>" : [...new Set(roles)].sort().join(",");
}

function addressOf(node: Node, type: string): string {
  return node.status?.addresses?.find((address) => address.type === type)?.address ?? "<none>";
}

export const leaseType: ResourceType = resourceType({
  group: "coordination.k8s.io",
  version: "v1",
  plural: "leases",
  kind: "Lease",
  columns: [nameColumn, column<Lease>("Holder", ({ spec }) => spec?.holderIdentity ?? ""), ageColumn],
});

export const priorityClassType: ResourceType = resourceType({
  group: "scheduling.k8s.io",
  version: "v1",
  plural: "priorityclasses",
  kind: "PriorityClass",
  namespaced: false,
  shortNames: ["pc"],
  columns: [
    nameColumn,
    column<PriorityClass>("Value", ({ value }) => value, integer),
    column<PriorityClass>("Global-Default", ({ globalDefault }) => globalDefault ?? false, {
      type: "boolean",
    }),
    ageColumn,
    column<PriorityClass>("PreemptionPolicy", ({ preemptionPolicy }) => preemptionPolicy ?? "", wide),
  ],
  defaults: (draft) => {
    (draft as unknown as PriorityClass).preemptionPolicy ??= "PreemptLowerPriority";
  },
  validate: (draft, before) => {
    const { value } = draft as unknown as PriorityClass;
    if (before !== undefined && !equalJson(value, (before as PriorityClass).value)) {
      return [field.forbidden("value", "may not be changed in an update.")];
    }
    return value === undefined ? [field.required("value")] : [];
  },
});
