// What every cluster has from its first second: namespaces, their service accounts and the cluster's certificate,
// priority classes, the service of the API server itself.
import { hasCode } from "../../base/error.ts";
import type { KubeObject } from "../../kube/objects.ts";
import type { Engine } from "./engine.ts";
import type { ResourceType } from "./resource-type.ts";
import { namespaceType, priorityClassType } from "./types/cluster-objects.ts";
import { configMapType, serviceAccountType } from "./types/config-objects.ts";
import { serviceAddress, serviceType } from "./types/service-objects.ts";
import { createObject } from "./write.ts";

const standingNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"];

/** Makes what is missing; may be called at every start. */
export function bootstrap(engine: Engine): void {
  for (const name of standingNamespaces) ensure(engine, namespaceType, "", { metadata: { name } });
  for (const [name, value, description] of [
    ["system-node-critical", 2_000_001_000, "must not be moved from their current node"],
    ["system-cluster-critical", 2_000_000_000, "must run in the cluster, but can be moved to another node"],
  ] as const) {
    ensure(engine, priorityClassType, "", {
      metadata: { name },
      value,
      description: `Used for system critical pods that ${description}.`,
    });
  }
  ensure(engine, serviceType, "default", {
    metadata: { name: "kubernetes", labels: { component: "apiserver", provider: "kubernetes" } },
    spec: {
      clusterIP: serviceAddress(engine.serviceCidr, 1),
      ports: [{ name: "https", port: 443, protocol: "TCP", targetPort: 443 }],
    },
  });
}

/** Gives every namespace its default service account and the certificate authority. Returns what ends it. */
export function furnishNamespaces(engine: Engine, ca: string): () => void {
  const furnish = (name: string): void => {
    ensure(engine, serviceAccountType, name, { metadata: { name: "default" } });
    ensure(engine, configMapType, name, { metadata: { name: "kube-root-ca.crt" }, data: { "ca.crt": ca } });
  };
  for (const { object } of [...engine.store.list(namespaceType.collection)]) {
    if (object.metadata.deletionTimestamp === undefined) furnish(object.metadata.name);
  }
  return engine.store.subscribe(namespaceType.collection, ({ type, now }) => {
    if (type === "ADDED") furnish(now.object.metadata.name);
  });
}

function ensure(
  engine: Engine,
  type: ResourceType,
  namespace: string,
  object: Pick<KubeObject, "metadata"> & Record<string, unknown>,
): void {
  try {
    createObject(engine, type, namespace, structuredClone(object));
  } catch (error) {
    if (!hasCode(error, "already_exists")) throw error;
  }
}
