// What the server fills into a pod template that does not say it.
import type { Container, PodSpec, Probe, ResourceList, Volume } from "../../../kube/resources.ts";

/** Changes the spec in place. */
export function defaultPodSpec(spec: PodSpec): void {
  spec.restartPolicy ??= "Always";
  spec.terminationGracePeriodSeconds ??= 30;
  spec.dnsPolicy ??= "ClusterFirst";
  spec.securityContext ??= {};
  spec.schedulerName ??= "default-scheduler";
  if (spec.serviceAccountName !== undefined) spec.serviceAccount = spec.serviceAccountName;
  else if (spec.serviceAccount !== undefined) spec.serviceAccountName = spec.serviceAccount;
  for (const container of spec.initContainers ?? []) defaultContainer(container, spec);
  for (const container of listOf(spec.containers)) defaultContainer(container, spec);
  for (const volume of spec.volumes ?? []) defaultVolume(volume);
}

/** Decoded objects may lack what their type says is there. */
function listOf<T>(list: T[] | undefined): T[] {
  return list ?? [];
}

function defaultContainer(container: Container, spec: PodSpec): void {
  container.imagePullPolicy ??= pullPolicyOf(container.image ?? "");
  container.terminationMessagePath ??= "/dev/termination-log";
  container.terminationMessagePolicy ??= "File";
  container.resources ??= {};
  const { limits, requests } = container.resources;
  if (limits !== undefined) container.resources.requests = { ...limits, ...requests };
  normalizeQuantities(container.resources.limits);
  normalizeQuantities(container.resources.requests);
  for (const port of container.ports ?? []) {
    port.protocol ??= "TCP";
    if (spec.hostNetwork === true) port.hostPort ??= port.containerPort;
  }
  for (const variable of container.env ?? []) {
    if (variable.valueFrom?.fieldRef !== undefined) variable.valueFrom.fieldRef.apiVersion ??= "v1";
  }
  for (const probe of [container.livenessProbe, container.readinessProbe, container.startupProbe]) {
    if (probe !== undefined) defaultProbe(probe);
  }
}

function normalizeQuantities(list: ResourceList | undefined): void {
  for (const [name, amount] of Object.entries(list ?? {})) {
    if (list !== undefined && typeof amount === "number") list[name] = String(amount);
  }
}

/** An image without a tag, or of the tag "latest", is pulled every time. */
function pullPolicyOf(image: string): "Always" | "IfNotPresent" {
  if (image.includes("@")) return "IfNotPresent";
  const tag = /:([^/:]+)$/.exec(image)?.[1];
  return tag === undefined || tag === "latest" ? "Always" : "IfNotPresent";
}

function defaultProbe(probe: Probe): void {
  probe.timeoutSeconds ??= 1;
  probe.periodSeconds ??= 10;
  probe.successThreshold ??= 1;
  probe.failureThreshold ??= 3;
  if (probe.httpGet !== undefined) {
    probe.httpGet.path ??= "/";
    probe.httpGet.scheme ??= "HTTP";
  }
  if (probe.grpc !== undefined) probe.grpc.service ??= "";
}

function defaultVolume(volume: Volume): void {
  // 0644, as decimal because JSON has no octal.
  const mode = 0o644;
  if (volume.configMap !== undefined) volume.configMap.defaultMode ??= mode;
  if (volume.secret !== undefined) volume.secret.defaultMode ??= mode;
  if (volume.downwardAPI !== undefined) volume.downwardAPI.defaultMode ??= mode;
  if (volume.projected !== undefined) volume.projected.defaultMode ??= mode;
  if (volume.hostPath !== undefined) volume.hostPath.type ??= "";
  const onlyName = Object.keys(volume).every((key) => key === "name");
  if (onlyName) volume.emptyDir = {};
}
