import { existsSync, mkdirSync, realpathSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { EniverseError } from "../../base/error.ts";
import type { Container, KeyToPath, Pod, Volume } from "../../kube/resources.ts";
import { type ConfigSource, type DownwardFacts, fieldValue } from "./environment.ts";

export interface Mount {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
}

export const tokenDir = "/var/run/secrets/kubernetes.io/serviceaccount";

/** What volumes are made from. */
export interface VolumeFacts extends DownwardFacts {
  /** Folder of the pod's own volumes. */
  readonly folder: string;
  readonly source: ConfigSource;
  /** A token of the service account and the authority to check the API server with; undefined when there is none. */
  readonly credentials: (
    serviceAccount: string,
    namespace: string,
  ) => Promise<{ readonly token: string; readonly ca: string } | undefined>;
}

/**
 * Makes the container's volumes and answers what is to be mounted where. Containers share the node's file system:
 * what is at its place already needs no mount. Targets are made in the node when they are missing.
 * Throws `unsupported` for kinds of volumes that there are not here, `not_found` for a missing ConfigMap or Secret.
 */
export async function prepareMounts(pod: Pod, container: Container, facts: VolumeFacts): Promise<Mount[]> {
  const mounts: Mount[] = [];
  for (const { name, mountPath, subPath, readOnly = false } of container.volumeMounts ?? []) {
    const volume = pod.spec.volumes?.find((each) => each.name === name);
    if (volume === undefined) {
      throw new EniverseError("not_found", {
        attempted: `mount ${mountPath}`,
        found: `no volume ${name} in the pod`,
      });
    }
    const root = await sourceOf(pod, volume, facts);
    const source = subPath === undefined ? root : join(root, subPath);
    if (!samePlace(source, mountPath)) mounts.push({ source, target: mountPath, readOnly });
  }
  const token = await serviceAccountFolder(pod, facts);
  if (token !== undefined && !mounts.some(({ target }) => target === tokenDir)) {
    mounts.push({ source: token, target: tokenDir, readOnly: true });
  }
  for (const { source, target } of mounts) makeTarget(source, target);
  return mounts;
}

async function sourceOf(pod: Pod, volume: Volume, facts: VolumeFacts): Promise<string> {
  const { hostPath, emptyDir, configMap, secret, downwardAPI } = volume;
  const namespace = pod.metadata.namespace ?? "default";
  if (hostPath !== undefined) return hostSource(hostPath);
  const folder = join(facts.folder, volume.name);
  if (emptyDir !== undefined) {
    mkdirSync(folder, { recursive: true });
    return folder;
  }
  if (configMap !== undefined) {
    const values = await facts.source.configMap(configMap.name ?? "", namespace);
    return writeFiles(folder, values, configMap, `configmap "${configMap.name}" not found`);
  }
  if (secret !== undefined) {
    const values = await facts.source.secret(secret.secretName ?? "", namespace);
    return writeFiles(folder, values, secret, `secret "${secret.secretName}" not found`);
  }
  if (downwardAPI !== undefined) {
    const values = Object.fromEntries(
      (downwardAPI.items ?? []).map(({ path, fieldRef }) => [
        path,
        fieldRef === undefined ? "" : fieldValue(pod, fieldRef.fieldPath, facts),
      ]),
    );
    return writeFiles(folder, values, {}, "");
  }
  const kind = Object.keys(volume).find((key) => key !== "name") ?? "unknown";
  throw new EniverseError("unsupported", {
    attempted: `make the volume ${volume.name}`,
    found: `a volume of the kind ${kind}`,
    wanted: "hostPath, emptyDir, configMap, secret or downwardAPI",
  });
}

function hostSource({ path, type = "" }: { path: string; type?: string }): string {
  if (!existsSync(path)) {
    if (type === "FileOrCreate") {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, "");
    } else if (type === "DirectoryOrCreate" || type === "") mkdirSync(path, { recursive: true });
    else {
      throw new EniverseError("not_found", {
        attempted: "mount a hostPath",
        found: `${path} does not exist`,
      });
    }
  }
  return path;
}

function writeFiles(
  folder: string,
  values: Readonly<Record<string, string>> | undefined,
  choice: { readonly items?: KeyToPath[]; readonly optional?: boolean },
  absent: string,
): string {
  if (values === undefined && choice.optional !== true) {
    throw new EniverseError("not_found", { attempted: "make a volume", found: absent });
  }
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const items = choice.items ?? Object.keys(values ?? {}).map((key): KeyToPath => ({ key, path: key }));
  for (const { key, path } of items) {
    const value = values?.[key];
    if (value === undefined) continue;
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), value);
  }
  return folder;
}

/** Only pods with a service account of their own get a token: nothing here needs the default one's. */
async function serviceAccountFolder(pod: Pod, facts: VolumeFacts): Promise<string | undefined> {
  const account = pod.spec.serviceAccountName ?? "default";
  if (account === "default" || pod.spec.automountServiceAccountToken === false) return undefined;
  const namespace = pod.metadata.namespace ?? "default";
  const credentials = await facts.credentials(account, namespace);
  if (credentials === undefined) return undefined;
  const files = { token: credentials.token, "ca.crt": credentials.ca, namespace };
  return writeFiles(join(facts.folder, "kube-api-access"), files, {}, "");
}

function samePlace(source: string, target: string): boolean {
  if (source === target) return true;
  try {
    return realpathSync(source) === realpathSync(target);
  } catch {
    return false;
  }
}

function makeTarget(source: string, target: string): void {
  if (existsSync(target)) return;
  mkdirSync(dirname(target), { recursive: true });
  if (isFile(source)) writeFileSync(target, "");
  else mkdirSync(target, { recursive: true });
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
