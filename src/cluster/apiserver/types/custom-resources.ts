// CustomResourceDefinitions, and the types that they define.
import type { KubeObject } from "../../../kube/objects.ts";
import type {
  CustomResourceColumn,
  CustomResourceDefinition,
  CustomResourceVersion,
} from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson } from "../patch/json.ts";
import {
  type Cell,
  type Column,
  type CustomType,
  type ResourceType,
  resourceType,
} from "../resource-type.ts";
import { ageColumn, column, nameColumn, since } from "./columns.ts";
import { readJsonPath } from "./json-path.ts";
import { isDnsLabel, isDnsSubdomain, labelMessage, subdomainMessage } from "./names.ts";
import { oneOf } from "./pod-validation.ts";
import { pruneAndDefault, schemaErrors } from "./schema-validation.ts";

export const crdType: ResourceType = resourceType({
  group: "apiextensions.k8s.io",
  version: "v1",
  plural: "customresourcedefinitions",
  kind: "CustomResourceDefinition",
  namespaced: false,
  shortNames: ["crd", "crds"],
  categories: ["api-extensions"],
  subresources: ["status"],
  hasGeneration: true,
  columns: [nameColumn, column("Created At", ({ metadata }) => metadata.creationTimestamp ?? "<unknown>")],
  defaults: (draft) => {
    const { spec } = draft as unknown as CustomResourceDefinition;
    if (spec?.names === undefined) return;
    spec.names.singular ??= (spec.names.kind ?? "").toLowerCase();
    spec.names.listKind ??= `${spec.names.kind}List`;
  },
  admitNew: (draft, { nowMs }) => {
    const crd = draft as unknown as CustomResourceDefinition;
    const lastTransitionTime = new Date(nowMs).toISOString().replace(/\.\d+Z$/, "Z");
    const accepted = { status: "True", lastTransitionTime } as const;
    crd.status = {
      conditions: [
        { type: "NamesAccepted", reason: "NoConflicts", message: "no conflicts found", ...accepted },
        {
          type: "Established",
          reason: "InitialNamesAccepted",
          message: "the initial names have been accepted",
          ...accepted,
        },
      ],
      ...(crd.spec?.names !== undefined && { acceptedNames: crd.spec.names }),
      storedVersions: (crd.spec?.versions ?? []).filter((each) => each.storage).map((each) => each.name),
    };
  },
  validate: (draft, before) =>
    validateDefinition(
      draft as unknown as CustomResourceDefinition,
      before as CustomResourceDefinition | undefined,
    ),
});

function validateDefinition(
  crd: CustomResourceDefinition,
  before: CustomResourceDefinition | undefined,
): FieldError[] {
  const { spec } = crd;
  if (spec === undefined) return [field.required("spec")];
  const errors: FieldError[] = [];
  if (!spec.group) errors.push(field.required("spec.group"));
  else if (!isDnsSubdomain(spec.group))
    errors.push(field.invalid("spec.group", spec.group, subdomainMessage));
  if (!spec.names?.plural) errors.push(field.required("spec.names.plural"));
  else if (!isDnsLabel(spec.names.plural)) {
    errors.push(field.invalid("spec.names.plural", spec.names.plural, labelMessage));
  }
  if (!spec.names?.kind) errors.push(field.required("spec.names.kind"));
  if (!spec.scope) errors.push(field.required("spec.scope"));
  errors.push(...oneOf("spec.scope", spec.scope, ["Cluster", "Namespaced"]));
  const wanted = `${spec.names?.plural}.${spec.group}`;
  if (crd.metadata.name !== wanted) {
    errors.push(
      field.invalid("metadata.name", crd.metadata.name, `must be spec.names.plural+"."+spec.group`),
    );
  }
  const versions = spec.versions ?? [];
  if (versions.filter((version) => version.storage).length !== 1) {
    errors.push(
      field.invalid(
        "spec.versions",
        versions.map((version) => version.name),
        "must have exactly one version marked as storage version",
      ),
    );
  }
  for (const [index, version] of versions.entries()) {
    if (version.schema?.openAPIV3Schema === undefined) {
      errors.push(field.required(`spec.versions[${index}].schema.openAPIV3Schema`, "schemas are required"));
    }
  }
  if (before !== undefined && before.spec.scope !== spec.scope) {
    errors.push(field.invalid("spec.scope", spec.scope, "field is immutable"));
  }
  if (before !== undefined && !equalJson(before.spec.group, spec.group)) {
    errors.push(field.invalid("spec.group", spec.group, "field is immutable"));
  }
  return errors;
}

/** The types that a definition makes: one for each served version. */
export function typesOf(crd: CustomResourceDefinition): ResourceType[] {
  return crd.spec.versions.filter((version) => version.served).map((version) => typeOf(crd, version));
}

function typeOf({ spec }: CustomResourceDefinition, version: CustomResourceVersion): ResourceType {
  const { names, group } = spec;
  const { definition: _, ...type } = resourceType({
    group,
    version: version.name,
    plural: names.plural,
    kind: names.kind,
    singular: names.singular ?? names.kind.toLowerCase(),
    listKind: names.listKind ?? `${names.kind}List`,
    namespaced: spec.scope === "Namespaced",
    shortNames: names.shortNames ?? [],
    categories: names.categories ?? [],
    subresources: [
      ...(version.subresources?.status !== undefined ? (["status"] as const) : []),
      ...(version.subresources?.scale !== undefined ? (["scale"] as const) : []),
    ],
    hasGeneration: true,
    columns: columnsOf(version.additionalPrinterColumns),
    custom: customOf(version),
  });
  return type;
}

function customOf(version: CustomResourceVersion): CustomType {
  const schema = version.schema?.openAPIV3Schema;
  const scale = version.subresources?.scale;
  return {
    schema,
    ...(scale !== undefined && {
      scale: {
        replicasPath: scale.specReplicasPath,
        statusReplicasPath: scale.statusReplicasPath,
        ...(scale.labelSelectorPath !== undefined && { selectorPath: scale.labelSelectorPath }),
      },
    }),
    prune: (draft) => {
      const { apiVersion, kind, metadata, ...body } = draft;
      pruneAndDefault(body, schema);
      for (const name of Object.keys(draft)) {
        if (name !== "apiVersion" && name !== "kind" && name !== "metadata") delete draft[name];
      }
      Object.assign(draft, body);
    },
    validate: (draft) => schemaErrors(draft, schema, ""),
  };
}

function columnsOf(declared: readonly CustomResourceColumn[] | undefined): readonly Column[] {
  if (declared === undefined || declared.length === 0) return [nameColumn, ageColumn];
  return [nameColumn, ...declared.map(declaredColumn)];
}

function declaredColumn({ name, type, jsonPath, description, priority }: CustomResourceColumn): Column {
  return {
    name,
    // Dates are sent as spans of time.
    type: type === "integer" || type === "number" || type === "boolean" ? type : "string",
    ...(description !== undefined && { description }),
    priority: priority ?? 0,
    cell: (object: KubeObject, nowMs: number): Cell => {
      const values = readJsonPath(object, jsonPath);
      const [first] = values;
      if (first === undefined) return type === "string" ? "" : null;
      if (type === "date") return since(String(first), nowMs);
      if (values.length > 1) return values.map(String).join(",");
      if (typeof first === "number" || typeof first === "boolean" || typeof first === "string") return first;
      return JSON.stringify(first);
    },
  };
}
