import { readFileSync } from "node:fs";
import { EniverseError, hasCode } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { configMaps, secrets } from "../../kube/resources.ts";
import type { ConfigSource } from "./environment.ts";
import type { KubeletSettings } from "./flags.ts";
import type { VolumeFacts } from "./volumes.ts";

/** Asks the API server for tokens of service accounts (TokenRequest), with the kubelet's own. */
export function tokenSource(settings: KubeletSettings): VolumeFacts["credentials"] {
  return async (serviceAccount, namespace) => {
    const ca = settings.caFile === undefined ? "" : readFileSync(settings.caFile, "utf8");
    const path = `/api/v1/namespaces/${namespace}/serviceaccounts/${serviceAccount}/token`;
    const attempted = `get a token of the service account ${namespace}/${serviceAccount}`;
    let response: Response;
    try {
      response = await fetch(settings.apiServer + path, {
        method: "POST",
        headers: {
          "content-type": "application/json",
          ...(settings.tokenFile !== undefined && {
            authorization: `Bearer ${readFileSync(settings.tokenFile, "utf8").trim()}`,
          }),
        },
        body: JSON.stringify({
          apiVersion: "authentication.k8s.io/v1",
          kind: "TokenRequest",
          spec: { audiences: [], expirationSeconds: 86_400 },
        }),
        ...(ca !== "" && { tls: { ca } }),
      });
    } catch (cause) {
      throw new EniverseError("unavailable", { attempted, found: "no answer of the API server", cause });
    }
    if (response.status === 404) {
      throw new EniverseError("not_found", {
        attempted,
        found: `serviceaccount "${serviceAccount}" not found`,
      });
    }
    const answer = (await response.json()) as { status?: { token?: string } };
    const token = answer.status?.token;
    if (!response.ok || token === undefined) {
      throw new EniverseError("unavailable", {
        attempted,
        found: `the API server answered ${response.status}`,
      });
    }
    return { token, ca };
  };
}

/** ConfigMaps and Secrets, read when a container starts. */
export function configSource(client: KubeClient): ConfigSource {
  const absent = (error: unknown): undefined => {
    if (hasCode(error, "not_found")) return undefined;
    throw error;
  };
  return {
    configMap: async (name, namespace) => {
      const map = await client.get(configMaps, name, namespace).catch(absent);
      return map === undefined ? undefined : (map.data ?? {});
    },
    secret: async (name, namespace) => {
      const secret = await client.get(secrets, name, namespace).catch(absent);
      if (secret === undefined) return undefined;
      return Object.fromEntries(
        Object.entries(secret.data ?? {}).map(([key, value]) => [
          key,
          Buffer.from(value, "base64").toString(),
        ]),
      );
    },
  };
}
