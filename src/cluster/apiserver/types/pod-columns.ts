// How `kubectl get pods` sums up a pod.
import type { ContainerStatus, Pod } from "../../../kube/resources.ts";
import type { Column } from "../resource-type.ts";
import { ageColumn, column, nameColumn, wide } from "./columns.ts";
import { humanDuration } from "./duration.ts";

export const podColumns: readonly Column[] = [
  nameColumn,
  column<Pod>("Ready", (pod) => summaryOf(pod).ready),
  column<Pod>("Status", (pod) => summaryOf(pod).status),
  column<Pod>("Restarts", (pod, nowMs) => restartsText(summaryOf(pod), nowMs)),
  ageColumn,
  column<Pod>("IP", (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? "<none>", wide),
  column<Pod>("Node", (pod) => pod.spec.nodeName ?? "<none>", wide),
  column<Pod>("Nominated Node", (pod) => pod.status?.nominatedNodeName ?? "<none>", wide),
  column<Pod>("Readiness Gates", readinessGatesText, wide),
];

interface Summary {
  readonly ready: string;
  readonly status: string;
  readonly restarts: number;
  readonly lastRestart: string | undefined;
}

function restartsText({ restarts, lastRestart }: Summary, nowMs: number): string {
  if (restarts === 0 || lastRestart === undefined) return String(restarts);
  return `${restarts} (${humanDuration(nowMs - Date.parse(lastRestart))} ago)`;
}

function readinessGatesText(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return "<none>";
  const conditions = pod.status?.conditions ?? [];
  const met = gates.filter((gate) =>
    conditions.some((condition) => condition.type === gate.conditionType && condition.status === "True"),
  );
  return `${met.length}/${gates.length}`;
}

function summaryOf(pod: Pod): Summary {
  const statuses = pod.status?.containerStatuses ?? [];
  const initial = initSummary(pod);
  const total = pod.spec.containers.length + sidecarsOf(pod).length;
  const readySidecars = (pod.status?.initContainerStatuses ?? []).filter(
    (status) => status.ready && sidecarsOf(pod).includes(status.name),
  ).length;
  const ready = statuses.filter((status) => status.ready && status.state?.running !== undefined).length;
  const counted = initial !== undefined ? (pod.status?.initContainerStatuses ?? []) : statuses;
  return {
    ready: `${ready + readySidecars}/${total}`,
    status: statusText(pod, initial ?? runningSummary(pod, statuses)),
    restarts: counted.reduce((sum, status) => sum + status.restartCount, 0),
    lastRestart: counted
      .map((status) => status.lastState?.terminated?.finishedAt)
      .filter((time) => time !== undefined)
      .sort()
      .at(-1),
  };
}

function statusText(pod: Pod, reason: string): string {
  if (pod.metadata.deletionTimestamp === undefined) return reason;
  if (pod.status?.reason === "NodeLost") return "Unknown";
  const over = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  return over ? reason : "Terminating";
}

function phaseReason(pod: Pod): string {
  const scheduled = pod.status?.conditions?.find((condition) => condition.type === "PodScheduled");
  if (scheduled?.reason === "SchedulingGated") return "SchedulingGated";
  return pod.status?.reason ?? pod.status?.phase ?? "";
}

function sidecarsOf(pod: Pod): string[] {
  return (pod.spec.initContainers ?? [])
    .filter((container) => container.restartPolicy === "Always")
    .map((container) => container.name);
}

/** What the first unfinished init container is at; undefined when all have done their work. */
function initSummary(pod: Pod): string | undefined {
  const statuses = pod.status?.initContainerStatuses ?? [];
  for (const [index, status] of statuses.entries()) {
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (status.started === true && sidecarsOf(pod).includes(status.name)) continue;
    if (terminated !== undefined) {
      if (terminated.reason) return `Init:${terminated.reason}`;
      return terminated.signal ? `Init:Signal:${terminated.signal}` : `Init:ExitCode:${terminated.exitCode}`;
    }
    if (waiting?.reason && waiting.reason !== "PodInitializing") return `Init:${waiting.reason}`;
    return `Init:${index}/${pod.spec.initContainers?.length ?? 0}`;
  }
  return undefined;
}

function runningSummary(pod: Pod, statuses: readonly ContainerStatus[]): string {
  let reason = phaseReason(pod);
  let hasRunning = false;
  for (const status of [...statuses].reverse()) {
    const { waiting, terminated, running } = status.state ?? {};
    if (waiting?.reason) reason = waiting.reason;
    else if (terminated?.reason) reason = terminated.reason;
    else if (terminated !== undefined) {
      reason = terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
    } else if (status.ready && running !== undefined) hasRunning = true;
  }
  if (reason !== "Completed" || !hasRunning) return reason;
  const isReady = pod.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True");
  return isReady ? "Running" : "NotReady";
}
