// Who may do what (rbac.authorization.k8s.io), and how many pods may be disturbed at once (policy).
import type { ClusterRole, ClusterRoleBinding, PodDisruptionBudget } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson } from "../patch/json.ts";
import { type Column, type ResourceType, resourceType } from "../resource-type.ts";
import { ageColumn, column, integer, nameColumn, wide } from "./columns.ts";
import { countOrPercentErrors } from "./workloads.ts";

const rbac = { group: "rbac.authorization.k8s.io", version: "v1", nameForm: "path" } as const;

const createdAtColumn: Column = column(
  "Created At",
  ({ metadata }) => metadata.creationTimestamp ?? "<unknown>",
);

export const clusterRoleType: ResourceType = resourceType({
  ...rbac,
  plural: "clusterroles",
  kind: "ClusterRole",
  namespaced: false,
  columns: [nameColumn, createdAtColumn],
  validate: (draft) => ruleErrors(draft as unknown as ClusterRole),
});

export const roleType: ResourceType = resourceType({
  ...rbac,
  plural: "roles",
  kind: "Role",
  columns: [nameColumn, createdAtColumn],
  validate: (draft) => ruleErrors(draft as unknown as ClusterRole),
});

const bindingColumns: readonly Column[] = [
  nameColumn,
  column<ClusterRoleBinding>("Role", ({ roleRef }) => `${roleRef.kind}/${roleRef.name}`),
  ageColumn,
  column<ClusterRoleBinding>("Users", (binding) => subjectsText(binding, "User"), wide),
  column<ClusterRoleBinding>("Groups", (binding) => subjectsText(binding, "Group"), wide),
  column<ClusterRoleBinding>("ServiceAccounts", (binding) => subjectsText(binding, "ServiceAccount"), wide),
];

export const clusterRoleBindingType: ResourceType = resourceType({
  ...rbac,
  plural: "clusterrolebindings",
  kind: "ClusterRoleBinding",
  namespaced: false,
  columns: bindingColumns,
  validate: (draft, before) => bindingErrors(draft as unknown as ClusterRoleBinding, before),
});

export const roleBindingType: ResourceType = resourceType({
  ...rbac,
  plural: "rolebindings",
  kind: "RoleBinding",
  columns: bindingColumns,
  validate: (draft, before) => bindingErrors(draft as unknown as ClusterRoleBinding, before),
});

function subjectsText({ subjects }: ClusterRoleBinding, kind: string): string {
  return (subjects ?? [])
    .filter((subject) => subject.kind === kind)
    .map(({ namespace, name }) => (kind === "ServiceAccount" ? `${namespace}/${name}` : name))
    .join(", ");
}

function ruleErrors({ rules }: ClusterRole): FieldError[] {
  return (rules ?? []).flatMap((rule, index) => {
    if ((rule.verbs ?? []).length === 0) {
      return [field.required(`rules[${index}].verbs`, "verbs must contain at least one value")];
    }
    const names = (rule.resources ?? []).length + (rule.nonResourceURLs ?? []).length;
    return names > 0
      ? []
      : [field.required(`rules[${index}].resources`, "resource rules must supply at least one resource")];
  });
}

function bindingErrors(binding: ClusterRoleBinding, before: unknown): FieldError[] {
  if (!binding.roleRef?.name) return [field.required("roleRef.name")];
  const old = before as ClusterRoleBinding | undefined;
  if (old !== undefined && !equalJson(binding.roleRef, old.roleRef)) {
    return [field.invalid("roleRef", binding.roleRef, "cannot change roleRef")];
  }
  return (binding.subjects ?? []).flatMap((subject, index) =>
    subject.kind === "ServiceAccount" && !subject.namespace
      ? [field.required(`subjects[${index}].namespace`)]
      : [],
  );
}

export const podDisruptionBudgetType: ResourceType = resourceType({
  group: "policy",
  version: "v1",
  plural: "poddisruptionbudgets",
  kind: "PodDisruptionBudget",
  shortNames: ["pdb"],
  subresources: ["status"],
  hasGeneration: true,
  columns: [
    nameColumn,
    column<PodDisruptionBudget>("Min Available", ({ spec }) => String(spec?.minAvailable ?? "N/A")),
    column<PodDisruptionBudget>("Max Unavailable", ({ spec }) => String(spec?.maxUnavailable ?? "N/A")),
    column<PodDisruptionBudget>(
      "Allowed Disruptions",
      ({ status }) => status?.disruptionsAllowed ?? 0,
      integer,
    ),
    ageColumn,
  ],
  admitNew: (draft) => {
    draft.status = { disruptionsAllowed: 0, currentHealthy: 0, desiredHealthy: 0, expectedPods: 0 };
  },
  validate: (draft) => {
    const { spec } = draft as unknown as PodDisruptionBudget;
    if (spec?.minAvailable !== undefined && spec.maxUnavailable !== undefined) {
      return [field.invalid("spec", spec, "minAvailable and maxUnavailable cannot be both set")];
    }
    return [
      ...countOrPercentErrors("spec.minAvailable", spec?.minAvailable),
      ...countOrPercentErrors("spec.maxUnavailable", spec?.maxUnavailable),
    ];
  },
});
