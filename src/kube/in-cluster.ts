import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { EniverseError } from "../base/error.ts";
import type { KubeClientConfig } from "./fetch-client.ts";

/** Where a kubelet mounts the service account of a pod. */
export const serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * The settings that a pod finds: `KUBERNETES_SERVICE_HOST` and `KUBERNETES_SERVICE_PORT`, and the mounted token,
 * which is read again at every call because it is renewed. `CLUSTER_ENDPOINT` takes the place of the host.
 * Throws `unavailable` outside a pod.
 */
export function inClusterConfig(
  env: Readonly<Record<string, string | undefined>>,
  folder: string = serviceAccountFolder,
): KubeClientConfig {
  const host = env.KUBERNETES_SERVICE_HOST;
  const port = env.KUBERNETES_SERVICE_PORT;
  const tokenFile = join(folder, "token");
  if (!host || !port || !existsSync(tokenFile)) {
    throw new EniverseError("unavailable", {
      attempted: "find the API server of the pod's cluster",
      found: !host || !port ? "no KUBERNETES_SERVICE_HOST or no KUBERNETES_SERVICE_PORT" : `no ${tokenFile}`,
      wanted: "a pod with a service account",
    });
  }
  const named = host.includes(":") ? `[${host}]` : host;
  return {
    server: endpointUrl(env.CLUSTER_ENDPOINT) ?? `https://${named}:${port}`,
    ca: readFileSync(join(folder, "ca.crt"), "utf8"),
    token: () => readFileSync(tokenFile, "utf8").trim(),
  };
}

function endpointUrl(endpoint: string | undefined): string | undefined {
  if (!endpoint) return undefined;
  const withScheme = /^https?:\/\//.test(endpoint) ? endpoint : `https://${endpoint}`;
  return withScheme.replace(/\/$/, "");
}

/** The namespace of the pod; "default" when it is not mounted. */
export function podNamespace(folder: string = serviceAccountFolder): string {
  const file = join(folder, "namespace");
  return existsSync(file) ? readFileSync(file, "utf8").trim() : "default";
}
