import { EniverseError } from "../../base/error.ts";
import type { Container, EnvVar, Pod } from "../../kube/resources.ts";
import { parseQuantity } from "../scheduler/quantity.ts";

/** Where values of ConfigMaps and Secrets come from; undefined when there is no such object. */
export interface ConfigSource {
  configMap(name: string, namespace: string): Promise<Readonly<Record<string, string>> | undefined>;
  /** Decoded. */
  secret(name: string, namespace: string): Promise<Readonly<Record<string, string>> | undefined>;
}

/** What the downward API knows beside the pod. */
export interface DownwardFacts {
  readonly nodeIp: string;
  readonly podIps: readonly string[];
}

/**
 * The environment of a container: what every container has, envFrom, env in order with $(NAME) expanded.
 * Throws `not_found` with the kubelet's words for a ConfigMap, Secret or key that is missing and not optional.
 */
export async function containerEnvironment(
  pod: Pod,
  container: Container,
  facts: DownwardFacts,
  source: ConfigSource,
  base: Readonly<Record<string, string>>,
): Promise<Record<string, string>> {
  const namespace = pod.metadata.namespace ?? "default";
  const env: Record<string, string> = { ...base };
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const kind = configMapRef === undefined ? "secret" : "configmap";
    const reference = configMapRef ?? secretRef;
    const name = reference?.name ?? "";
    const values =
      kind === "secret" ? await source.secret(name, namespace) : await source.configMap(name, namespace);
    if (values === undefined && reference?.optional !== true) throw missing(`${kind} "${name}" not found`);
    for (const [key, value] of Object.entries(values ?? {})) env[prefix + key] = value;
  }
  for (const variable of container.env ?? []) {
    const value = await variableValue(variable, pod, container, facts, source);
    if (value !== undefined) env[variable.name] = expand(value, env);
  }
  return env;
}

async function variableValue(
  variable: EnvVar,
  pod: Pod,
  container: Container,
  facts: DownwardFacts,
  source: ConfigSource,
): Promise<string | undefined> {
  const from = variable.valueFrom;
  if (from === undefined) return variable.value ?? "";
  if (from.fieldRef !== undefined) return fieldValue(pod, from.fieldRef.fieldPath, facts);
  if (from.resourceFieldRef !== undefined) {
    const { resource, divisor, containerName } = from.resourceFieldRef;
    const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
    return resourceValue(all.find(({ name }) => name === containerName) ?? container, resource, divisor);
  }
  const kind = from.configMapKeyRef === undefined ? "secret" : "configmap";
  const reference = from.configMapKeyRef ?? from.secretKeyRef;
  if (reference === undefined) return undefined;
  const namespace = pod.metadata.namespace ?? "default";
  const name = reference.name ?? "";
  const values =
    kind === "secret" ? await source.secret(name, namespace) : await source.configMap(name, namespace);
  const value = values?.[reference.key];
  if (value !== undefined || reference.optional === true) return value;
  if (values === undefined) throw missing(`${kind} "${name}" not found`);
  throw missing(
    `couldn't find key ${reference.key} in ${kind === "secret" ? "Secret" : "ConfigMap"} ${namespace}/${name}`,
  );
}

const missing = (found: string): EniverseError =>
  new EniverseError("not_found", { attempted: "make the container's environment", found });

/** A field of the downward API: "metadata.name", "metadata.labels['app']", "spec.nodeName", "status.podIP" … */
export function fieldValue(pod: Pod, path: string, facts: DownwardFacts): string {
  const { metadata, spec } = pod;
  const subscript = /^metadata\.(labels|annotations)\['([^']+)'\]$/.exec(path);
  if (subscript !== null) {
    const map = subscript[1] === "labels" ? metadata.labels : metadata.annotations;
    return map?.[subscript[2] ?? ""] ?? "";
  }
  const lines = (map: Record<string, string> | undefined): string =>
    Object.entries(map ?? {})
      .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
      .join("\n");
  switch (path) {
    case "metadata.name":
      return metadata.name;
    case "metadata.namespace":
      return metadata.namespace ?? "default";
    case "metadata.uid":
      return metadata.uid ?? "";
    case "metadata.labels":
      return lines(metadata.labels);
    case "metadata.annotations":
      return lines(metadata.annotations);
    case "spec.nodeName":
      return spec.nodeName ?? "";
    case "spec.serviceAccountName":
      return spec.serviceAccountName ?? "default";
    case "status.hostIP":
    case "status.hostIPs":
      return facts.nodeIp;
    case "status.podIP":
      return facts.podIps[0] ?? "";
    case "status.podIPs":
      return facts.podIps.join(",");
    default:
      throw new EniverseError("invalid_argument", {
        attempted: "make the container's environment",
        found: `unsupported fieldPath: ${path}`,
        wanted: "a field of the downward API such as metadata.name, spec.nodeName or status.podIP",
      });
  }
}

function resourceValue(container: Container, resource: string, divisor: string | undefined): string {
  const [kind = "", name = ""] = resource.split(".");
  const list = kind === "limits" ? container.resources?.limits : container.resources?.requests;
  const amount = parseQuantity(list?.[name] ?? 0);
  const unit = parseQuantity(divisor === undefined || divisor === "0" ? 1 : divisor);
  return String(Math.ceil(amount / unit));
}

/** Replaces $(NAME) by what is known; $$ is a dollar sign, an unknown name stays as it is. */
export function expand(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(/\$\$|\$\(([^()]*)\)/g, (whole, name: string | undefined) =>
    whole === "$$" ? "$" : (env[name ?? ""] ?? whole),
  );
}
