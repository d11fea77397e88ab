import type { Node } from "../../kube/resources.ts";
import type { Answer } from "../output.ts";
import { formatAge } from "../table.ts";

/**
 * `get nodes`, with eksdemo's columns and the Ready condition; wide adds addresses, max-pods and why a node is not
 * Ready or its pods get no addresses (`problems`, by node name).
 */
export function nodesView(
  nodes: readonly Node[],
  now: number,
  problems: ReadonlyMap<string, string> = new Map(),
): Answer {
  const row = (node: Node): string[] => [
    ageOf(node.metadata.creationTimestamp, now),
    `${node.metadata.name.split(".")[0]}.*`,
    node.spec?.providerID?.split("/").at(-1) ?? "-",
    node.metadata.labels?.["node.kubernetes.io/instance-type"] ?? "-",
    node.metadata.labels?.["topology.kubernetes.io/zone"] ?? "-",
    node.metadata.labels?.["eks.amazonaws.com/nodegroup"] ?? "-",
    readiness(node),
  ];
  const columns = ["Age", "Name", "Instance Id", "Type", "Zone", "Nodegroup", "Status"];
  const suffixes = [...new Set(nodes.map((node) => node.metadata.name.split(".").slice(1).join(".")))];
  const footers = suffixes.map((suffix) => `* Names end with "${suffix}"`);
  return {
    value: nodes,
    table: { columns, rows: nodes.map(row), footers },
    wide: {
      columns: [...columns, "Internal IP", "Max pods", "Message"],
      rows: nodes.map((node) => [
        ...row(node),
        node.status?.addresses?.find((address) => address.type === "InternalIP")?.address ?? "-",
        String(node.status?.allocatable?.pods ?? "-"),
        messageOf(node, problems.get(node.metadata.name)),
      ]),
      footers,
    },
  };
}

/** The problem says more than the kubelet, which only knows that there is no network yet. */
function messageOf(node: Node, problem: string | undefined): string {
  if (problem !== undefined) return problem;
  const ready = readyCondition(node);
  return ready?.status === "True" ? "-" : (ready?.message ?? "-");
}

function readyCondition(node: Node) {
  return node.status?.conditions?.find((condition) => condition.type === "Ready");
}

function readiness(node: Node): string {
  const ready = readyCondition(node)?.status === "True" ? "Ready" : "NotReady";
  return node.spec?.unschedulable ? `${ready},SchedulingDisabled` : ready;
}

/** The age of something created at `timestamp` (RFC 3339), in eksdemo's words. */
export function ageOf(timestamp: string | undefined, now: number): string {
  return timestamp === undefined ? "-" : formatAge(Math.max(0, now - Date.parse(timestamp)));
}
