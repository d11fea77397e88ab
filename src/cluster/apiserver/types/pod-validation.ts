// What is wrong with a pod, or with the pod template of a workload.
import type { Container, PodSpec, Toleration, Volume } from "../../../kube/resources.ts";
import { type FieldError, field } from "../failures.ts";
import { equalJson } from "../patch/json.ts";
import {
  isDnsLabel,
  isDnsSubdomain,
  labelErrors,
  labelMessage,
  quantityPattern,
  subdomainMessage,
} from "./names.ts";

/** `path` is the path of the spec: "spec" or "spec.template.spec". */
export function validatePodSpec(spec: PodSpec | undefined, path: string): FieldError[] {
  if (spec === undefined) return [field.required(`${path}.containers`)];
  const volumes = new Set((spec.volumes ?? []).map((volume) => volume.name));
  const containers = spec.containers ?? [];
  const errors = [...validateVolumes(spec.volumes ?? [], `${path}.volumes`)];
  if (containers.length === 0) errors.push(field.required(`${path}.containers`));
  const seen = new Set<string>();
  const lists = [
    ["initContainers", spec.initContainers ?? []],
    ["containers", containers],
  ] as const;
  for (const [list, members] of lists) {
    for (const [index, container] of members.entries()) {
      const at = `${path}.${list}[${index}]`;
      errors.push(...validateContainer(container, at, volumes, spec.hostNetwork === true));
      if (seen.has(container.name)) errors.push(field.duplicate(`${at}.name`, container.name));
      seen.add(container.name);
    }
  }
  errors.push(
    ...oneOf(`${path}.restartPolicy`, spec.restartPolicy, ["Always", "OnFailure", "Never"]),
    ...oneOf(`${path}.dnsPolicy`, spec.dnsPolicy, [
      "ClusterFirstWithHostNet",
      "ClusterFirst",
      "Default",
      "None",
    ]),
    ...labelErrors(spec.nodeSelector, `${path}.nodeSelector`),
  );
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0) {
    errors.push(
      field.invalid(
        `${path}.terminationGracePeriodSeconds`,
        spec.terminationGracePeriodSeconds,
        "must be greater than or equal to 0",
      ),
    );
  }
  if (spec.serviceAccountName !== undefined && spec.serviceAccountName !== "") {
    if (!isDnsSubdomain(spec.serviceAccountName)) {
      errors.push(field.invalid(`${path}.serviceAccountName`, spec.serviceAccountName, subdomainMessage));
    }
  }
  for (const [index, toleration] of (spec.tolerations ?? []).entries()) {
    errors.push(...validateToleration(toleration, `${path}.tolerations[${index}]`));
  }
  return errors;
}

function validateContainer(
  container: Container,
  path: string,
  volumes: ReadonlySet<string>,
  hostNetwork: boolean,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!container.name) errors.push(field.required(`${path}.name`));
  else if (!isDnsLabel(container.name))
    errors.push(field.invalid(`${path}.name`, container.name, labelMessage));
  if (!container.image) errors.push(field.required(`${path}.image`));
  errors.push(
    ...oneOf(`${path}.imagePullPolicy`, container.imagePullPolicy, ["Always", "IfNotPresent", "Never"]),
  );
  for (const [index, port] of (container.ports ?? []).entries()) {
    const at = `${path}.ports[${index}]`;
    errors.push(...portErrors(`${at}.containerPort`, port.containerPort));
    if (port.hostPort !== undefined && port.hostPort !== 0) {
      errors.push(...portErrors(`${at}.hostPort`, port.hostPort));
      if (hostNetwork && port.hostPort !== port.containerPort) {
        errors.push(
          field.invalid(
            `${at}.containerPort`,
            port.containerPort,
            "must match `hostPort` when `hostNetwork` is true",
          ),
        );
      }
    }
    errors.push(...oneOf(`${at}.protocol`, port.protocol, ["SCTP", "TCP", "UDP"]));
  }
  for (const [index, variable] of (container.env ?? []).entries()) {
    const at = `${path}.env[${index}]`;
    if (!variable.name) errors.push(field.required(`${at}.name`));
    else if (variable.name.includes("=")) {
      errors.push(
        field.invalid(`${at}.name`, variable.name, "a valid environment variable name must not contain '='"),
      );
    }
    if (variable.valueFrom !== undefined && (variable.value ?? "") !== "") {
      errors.push(field.invalid(`${at}.valueFrom`, "", "may not be specified when `value` is not empty"));
    }
  }
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const at = `${path}.volumeMounts[${index}]`;
    if (!mount.name) errors.push(field.required(`${at}.name`));
    else if (!volumes.has(mount.name)) errors.push(field.notFound(`${at}.name`, mount.name));
    if (!mount.mountPath) errors.push(field.required(`${at}.mountPath`));
  }
  for (const list of ["requests", "limits"] as const) {
    for (const [name, amount] of Object.entries(container.resources?.[list] ?? {})) {
      if (quantityPattern.test(String(amount))) continue;
      errors.push(
        field.invalid(
          `${path}.resources.${list}[${name}]`,
          amount,
          `quantities must match the regular expression '${quantityPattern.source}'`,
        ),
      );
    }
  }
  return errors;
}

function validateVolumes(volumes: readonly Volume[], path: string): FieldError[] {
  const errors: FieldError[] = [];
  const seen = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = `${path}[${index}]`;
    if (!volume.name) errors.push(field.required(`${at}.name`));
    else if (!isDnsLabel(volume.name)) errors.push(field.invalid(`${at}.name`, volume.name, labelMessage));
    else if (seen.has(volume.name)) errors.push(field.duplicate(`${at}.name`, volume.name));
    seen.add(volume.name);
    if (Object.keys(volume).filter((key) => key !== "name").length > 1) {
      errors.push(field.forbidden(at, "may not specify more than 1 volume type"));
    }
    if (volume.hostPath !== undefined && !volume.hostPath.path) {
      errors.push(field.required(`${at}.hostPath.path`));
    }
  }
  return errors;
}

function validateToleration(toleration: Toleration, path: string): FieldError[] {
  const errors = [
    ...oneOf(`${path}.effect`, toleration.effect || undefined, [
      "NoSchedule",
      "PreferNoSchedule",
      "NoExecute",
    ]),
    ...oneOf(`${path}.operator`, toleration.operator || undefined, ["Equal", "Exists"]),
  ];
  if (!toleration.key && toleration.operator !== "Exists") {
    errors.push(
      field.invalid(
        `${path}.operator`,
        toleration.operator ?? "",
        'operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ),
    );
  }
  if (toleration.operator === "Exists" && toleration.value) {
    errors.push(
      field.invalid(`${path}.operator`, toleration.value, "value must be empty when `operator` is 'Exists'"),
    );
  }
  return errors;
}

/** A running pod's spec may change only in these ways. */
export function validatePodChange(now: PodSpec, before: PodSpec): FieldError[] {
  const frozen = (spec: PodSpec): unknown => ({
    ...spec,
    containers: spec.containers.map((container) => ({ ...container, image: "" })),
    initContainers: (spec.initContainers ?? []).map((container) => ({ ...container, image: "" })),
    activeDeadlineSeconds: 0,
    terminationGracePeriodSeconds: 0,
    tolerations: [],
    // The binding sets it once.
    nodeName: before.nodeName === undefined ? "" : spec.nodeName,
  });
  const kept = (before.tolerations ?? []).every((old) =>
    (now.tolerations ?? []).some((toleration) =>
      equalJson({ ...old, tolerationSeconds: 0 }, { ...toleration, tolerationSeconds: 0 }),
    ),
  );
  if (kept && equalJson(frozen(now), frozen(before))) return [];
  return [
    field.forbidden(
      "spec",
      "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)",
    ),
  ];
}

/** An absent value passes. */
export function oneOf(path: string, value: string | undefined, supported: readonly string[]): FieldError[] {
  return value === undefined || supported.includes(value) ? [] : [field.unsupported(path, value, supported)];
}

export function portErrors(path: string, port: number | undefined): FieldError[] {
  if (port === undefined) return [field.required(path)];
  const fits = Number.isInteger(port) && port >= 1 && port <= 65535;
  return fits ? [] : [field.invalid(path, port, "must be between 1 and 65535, inclusive")];
}
