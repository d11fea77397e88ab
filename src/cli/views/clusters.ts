import type { Cluster } from "@aws-sdk/client-eks";
import type { Answer } from "../output.ts";
import { formatAge } from "../table.ts";

/** `get clusters`, with eksdemo's columns; `current` is the cluster of the kubeconfig's current context. */
export function clustersView(clusters: readonly Cluster[], now: number, current?: string): Answer {
  const rows = clusters.map((cluster) => [
    cluster.createdAt === undefined ? "-" : formatAge(now - cluster.createdAt.getTime()),
    cluster.status ?? "-",
    `${cluster.name === current ? "*" : ""}${cluster.name ?? "-"}`,
    cluster.version ?? "-",
    cluster.platformVersion ?? "-",
    endpointAccess(cluster),
  ]);
  return {
    value: clusters,
    table: {
      columns: ["Age", "Status", "Cluster", "Version", "Platform", "Endpoint"],
      rows,
      footers: ["* Indicates current context in local kubeconfig"],
    },
  };
}

function endpointAccess(cluster: Cluster): string {
  const { endpointPublicAccess, endpointPrivateAccess } = cluster.resourcesVpcConfig ?? {};
  if (endpointPublicAccess) return endpointPrivateAccess ? "Public/Private" : "Public";
  return endpointPrivateAccess ? "Private" : "-";
}
