import type { Namespace, ServiceAccount } from "../../kube/resources.ts";
import { serviceAccounts } from "../../kube/resources.ts";
import { nothing, type Plan } from "./plan.ts";

/** Every namespace has a service account called default. */
export function planNamespace(namespace: Namespace, account: ServiceAccount | undefined): Plan {
  if (namespace.metadata.deletionTimestamp !== undefined || account !== undefined) return nothing;
  const object: ServiceAccount = {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "default", namespace: namespace.metadata.name },
  };
  return { writes: [{ kind: "create", resource: serviceAccounts, object }] };
}
