// Deployments, ReplicaSets, DaemonSets and the revisions that DaemonSets keep.
import type {
  ControllerRevision,
  DaemonSet,
  Deployment,
  IntOrString,
  LabelSelector,
  PodTemplateSpec,
  ReplicaSet,
} from "../../../kube/resources.ts";
import { selects } from "../../../kube/selectors.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson } from "../patch/json.ts";
import { type ResourceType, resourceType } from "../resource-type.ts";
import {
  ageColumn,
  column,
  containersColumn,
  imagesColumn,
  integer,
  nameColumn,
  pairsText,
  selectorColumn,
} from "./columns.ts";
import { labelErrors } from "./names.ts";
import { defaultPodSpec } from "./pod-defaults.ts";
import { oneOf, validatePodSpec } from "./pod-validation.ts";

const apps = { group: "apps", version: "v1", categories: ["all"], hasGeneration: true } as const;
const templateColumns = [containersColumn, imagesColumn, selectorColumn];

export const deploymentType: ResourceType = resourceType({
  ...apps,
  plural: "deployments",
  kind: "Deployment",
  shortNames: ["deploy"],
  subresources: ["status", "scale"],
  columns: [
    nameColumn,
    column<Deployment>("Ready", ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`),
    column<Deployment>("Up-to-date", ({ status }) => status?.updatedReplicas ?? 0, integer),
    column<Deployment>("Available", ({ status }) => status?.availableReplicas ?? 0, integer),
    ageColumn,
    ...templateColumns,
  ],
  defaults: (draft) => {
    const spec = (draft as unknown as Deployment).spec;
    if (spec === undefined) return;
    spec.replicas ??= 1;
    spec.strategy ??= {};
    spec.strategy.type ??= "RollingUpdate";
    if (spec.strategy.type === "RollingUpdate") {
      spec.strategy.rollingUpdate ??= {};
      spec.strategy.rollingUpdate.maxUnavailable ??= "25%";
      spec.strategy.rollingUpdate.maxSurge ??= "25%";
    }
    spec.revisionHistoryLimit ??= 10;
    spec.progressDeadlineSeconds ??= 600;
    defaultTemplate(spec.template);
  },
  admitNew: (draft) => {
    draft.status = {};
  },
  validate: (draft, before) => {
    const { spec } = draft as unknown as Deployment;
    const errors = templateErrors(spec, (before as Deployment | undefined)?.spec);
    errors.push(...notNegative("spec.replicas", spec?.replicas));
    errors.push(...notNegative("spec.minReadySeconds", spec?.minReadySeconds));
    errors.push(...notNegative("spec.revisionHistoryLimit", spec?.revisionHistoryLimit));
    errors.push(...oneOf("spec.strategy.type", spec?.strategy?.type, ["Recreate", "RollingUpdate"]));
    const rolling = spec?.strategy?.rollingUpdate;
    if (spec?.strategy?.type === "Recreate" && rolling !== undefined) {
      errors.push(
        field.forbidden(
          "spec.strategy.rollingUpdate",
          "may not be specified when strategy `type` is 'Recreate'",
        ),
      );
    } else errors.push(...rollingErrors("spec.strategy.rollingUpdate", rolling));
    return errors;
  },
});

export const replicaSetType: ResourceType = resourceType({
  ...apps,
  plural: "replicasets",
  kind: "ReplicaSet",
  shortNames: ["rs"],
  subresources: ["status", "scale"],
  selectableFields: ["status.replicas"],
  columns: [
    nameColumn,
    column<ReplicaSet>("Desired", ({ spec }) => spec.replicas ?? 0, integer),
    column<ReplicaSet>("Current", ({ status }) => status?.replicas ?? 0, integer),
    column<ReplicaSet>("Ready", ({ status }) => status?.readyReplicas ?? 0, integer),
    ageColumn,
    ...templateColumns,
  ],
  defaults: (draft) => {
    const spec = (draft as unknown as ReplicaSet).spec;
    if (spec === undefined) return;
    spec.replicas ??= 1;
    defaultTemplate(spec.template);
  },
  admitNew: (draft) => {
    draft.status = { replicas: 0 };
  },
  validate: (draft, before) => {
    const { spec } = draft as unknown as ReplicaSet;
    return [
      ...templateErrors(spec, (before as ReplicaSet | undefined)?.spec),
      ...notNegative("spec.replicas", spec?.replicas),
    ];
  },
});

export const daemonSetType: ResourceType = resourceType({
  ...apps,
  plural: "daemonsets",
  kind: "DaemonSet",
  shortNames: ["ds"],
  subresources: ["status"],
  columns: [
    nameColumn,
    column<DaemonSet>("Desired", ({ status }) => status?.desiredNumberScheduled ?? 0, integer),
    column<DaemonSet>("Current", ({ status }) => status?.currentNumberScheduled ?? 0, integer),
    column<DaemonSet>("Ready", ({ status }) => status?.numberReady ?? 0, integer),
    column<DaemonSet>("Up-to-date", ({ status }) => status?.updatedNumberScheduled ?? 0, integer),
    column<DaemonSet>("Available", ({ status }) => status?.numberAvailable ?? 0, integer),
    column<DaemonSet>("Node Selector", ({ spec }) => pairsText(spec.template.spec.nodeSelector)),
    ageColumn,
    ...templateColumns,
  ],
  defaults: (draft) => {
    const spec = (draft as unknown as DaemonSet).spec;
    if (spec === undefined) return;
    spec.updateStrategy ??= {};
    spec.updateStrategy.type ??= "RollingUpdate";
    if (spec.updateStrategy.type === "RollingUpdate") {
      spec.updateStrategy.rollingUpdate ??= {};
      spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
      spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
    }
    spec.revisionHistoryLimit ??= 10;
    defaultTemplate(spec.template);
  },
  admitNew: (draft) => {
    draft.status = {
      currentNumberScheduled: 0,
      numberMisscheduled: 0,
      desiredNumberScheduled: 0,
      numberReady: 0,
    };
  },
  validate: (draft, before) => {
    const { spec } = draft as unknown as DaemonSet;
    return [
      ...templateErrors(spec, (before as DaemonSet | undefined)?.spec),
      ...oneOf("spec.updateStrategy.type", spec?.updateStrategy?.type, ["RollingUpdate", "OnDelete"]),
      ...rollingErrors("spec.updateStrategy.rollingUpdate", spec?.updateStrategy?.rollingUpdate),
    ];
  },
});

export const controllerRevisionType: ResourceType = resourceType({
  group: "apps",
  version: "v1",
  plural: "controllerrevisions",
  kind: "ControllerRevision",
  columns: [
    nameColumn,
    column<ControllerRevision>("Controller", ({ metadata }) => {
      const owner = metadata.ownerReferences?.find((reference) => reference.controller === true);
      if (owner === undefined) return "<none>";
      const group = owner.apiVersion.includes("/") ? `.${owner.apiVersion.split("/")[0]}` : "";
      return `${owner.kind.toLowerCase()}${group}/${owner.name}`;
    }),
    column<ControllerRevision>("Revision", ({ revision }) => revision, integer),
    ageColumn,
  ],
  validate: (draft, before) => {
    const now = draft as unknown as ControllerRevision;
    if (before !== undefined && !equalJson(now.data, (before as ControllerRevision).data)) {
      return [field.invalid("data", "", "field is immutable")];
    }
    return notNegative("revision", now.revision);
  },
});

interface TemplatedSpec {
  readonly selector: LabelSelector;
  readonly template?: PodTemplateSpec;
}

function defaultTemplate(template: PodTemplateSpec | undefined): void {
  if (template?.spec !== undefined) defaultPodSpec(template.spec);
}

function templateErrors(spec: TemplatedSpec | undefined, before: TemplatedSpec | undefined): FieldError[] {
  const errors: FieldError[] = [];
  if (spec === undefined) return [field.required("spec")];
  const { selector, template } = spec;
  const isEmpty =
    selector !== undefined &&
    Object.keys(selector.matchLabels ?? {}).length + (selector.matchExpressions ?? []).length === 0;
  if (selector === undefined) errors.push(field.required("spec.selector"));
  else if (isEmpty) {
    errors.push(field.invalid("spec.selector", selector, "empty selector is invalid for deployment"));
  } else if (!selects(selector, template?.metadata?.labels)) {
    errors.push(
      field.invalid(
        "spec.template.metadata.labels",
        template?.metadata?.labels ?? {},
        "`selector` does not match template `labels`",
      ),
    );
  }
  errors.push(...labelErrors(template?.metadata?.labels, "spec.template.metadata.labels"));
  errors.push(...validatePodSpec(template?.spec, "spec.template.spec"));
  const policy = template?.spec?.restartPolicy;
  if (policy !== undefined && policy !== "Always") {
    errors.push(field.unsupported("spec.template.spec.restartPolicy", policy, ["Always"]));
  }
  if (before !== undefined && selector !== undefined && !equalJson(selector, before.selector)) {
    errors.push(field.invalid("spec.selector", selector, "field is immutable"));
  }
  return errors;
}

function rollingErrors(
  path: string,
  rolling: { maxUnavailable?: IntOrString; maxSurge?: IntOrString } | undefined,
): FieldError[] {
  if (rolling === undefined) return [];
  const errors = (["maxUnavailable", "maxSurge"] as const).flatMap((name) =>
    countOrPercentErrors(`${path}.${name}`, rolling[name]),
  );
  const isZero = (value: IntOrString | undefined): boolean => value === 0 || value === "0%" || value === "0";
  if (isZero(rolling.maxUnavailable) && isZero(rolling.maxSurge)) {
    errors.push(field.invalid(`${path}.maxUnavailable`, 0, "may not be 0 when `maxSurge` is 0"));
  }
  return errors;
}

export function countOrPercentErrors(path: string, value: IntOrString | undefined): FieldError[] {
  if (value === undefined) return [];
  if (typeof value === "number") return notNegative(path, value);
  if (/^[0-9]+%$/.test(value)) return [];
  return [
    field.invalid(
      path,
      value,
      "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for validation is '[0-9]+%')",
    ),
  ];
}

export function notNegative(path: string, value: number | undefined): FieldError[] {
  return (value ?? 0) >= 0 ? [] : [field.invalid(path, value, "must be greater than or equal to 0")];
}
