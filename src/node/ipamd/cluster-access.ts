import { existsSync } from "node:fs";
import type { NodeEnvironment } from "../environment.ts";

const accountFolder = "/var/run/secrets/kubernetes.io/serviceaccount";

/** How a pod reaches the API server. */
export interface ClusterAccess {
  /** "https://host:port". */
  readonly server: string;
  readonly tokenFile: string;
  readonly caFile: string;
}

/**
 * The access that Kubernetes gives to the pod which this process runs in; CLUSTER_ENDPOINT replaces the address.
 * Undefined outside a cluster.
 */
export function clusterAccess(
  env: Readonly<Record<string, string | undefined>>,
  settings: Pick<NodeEnvironment, "clusterEndpoint">,
  folder: string = accountFolder,
): ClusterAccess | undefined {
  const host = env.KUBERNETES_SERVICE_HOST ?? "";
  const port = env.KUBERNETES_SERVICE_PORT || "443";
  const inCluster = host === "" ? undefined : `https://${host.includes(":") ? `[${host}]` : host}:${port}`;
  const server = settings.clusterEndpoint || inCluster;
  const tokenFile = `${folder}/token`;
  if (server === undefined || !existsSync(tokenFile)) return undefined;
  return { server, tokenFile, caFile: `${folder}/ca.crt` };
}
