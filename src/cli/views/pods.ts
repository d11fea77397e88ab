import type { Pod } from "../../kube/resources.ts";
import type { AddressHome } from "../../lab/address-homes.ts";
import type { Answer } from "../output.ts";
import { ageOf } from "./nodes.ts";

/** `get pods`: what kubectl shows, and where in the VPC each pod's address is. */
export function podsView(
  pods: readonly Pod[],
  homeOf: (address: string) => AddressHome | undefined,
  now: number,
): Answer {
  const row = (pod: Pod): string[] => {
    const address = pod.status?.podIP;
    return [
      pod.metadata.namespace ?? "-",
      pod.metadata.name,
      readyCount(pod),
      phaseOf(pod),
      address ?? "-",
      pod.spec?.hostNetwork ? "(host network)" : (homeOf(address ?? "")?.eniId ?? "-"),
      pod.spec?.nodeName?.split(".")[0] ?? "-",
      ageOf(pod.metadata.creationTimestamp, now),
    ];
  };
  const columns = ["Namespace", "Name", "Ready", "Status", "IP", "ENI", "Node", "Age"];
  return {
    value: pods,
    table: { columns, rows: pods.map(row) },
    wide: {
      columns: [...columns, "Subnet", "Restarts"],
      rows: pods.map((pod) => [
        ...row(pod),
        homeOf(pod.status?.podIP ?? "")?.subnetId ?? "-",
        String(
          (pod.status?.containerStatuses ?? []).reduce(
            (sum, { restartCount }) => sum + (restartCount ?? 0),
            0,
          ),
        ),
      ]),
    },
  };
}

function readyCount(pod: Pod): string {
  const statuses = pod.status?.containerStatuses ?? [];
  return `${statuses.filter((status) => status.ready).length}/${pod.spec?.containers.length ?? statuses.length}`;
}

/** As kubectl's STATUS column: a waiting or ended container's reason says more than the phase. */
function phaseOf(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined) return "Terminating";
  for (const status of pod.status?.containerStatuses ?? []) {
    const reason = status.state?.waiting?.reason ?? status.state?.terminated?.reason;
    if (reason !== undefined) return reason;
  }
  return pod.status?.phase ?? "Pending";
}
