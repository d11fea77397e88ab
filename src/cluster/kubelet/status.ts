import type {
  Condition,
  Container,
  ContainerStatus,
  Pod,
  PodPhase,
  PodStatus,
} from "../../kube/resources.ts";
import { canonicalImage } from "../images/registry.ts";
import { timestamp } from "../time.ts";
import { isSidecar, terminalPhase } from "./decide.ts";
import type { ContainerState, Finished, PodState } from "./state.ts";

/** What a status tells beside the pod's own state. */
export interface StatusFacts {
  readonly now: number;
  readonly nodeIp: string;
}

/** The status that the API server and `kubectl get pods` show. Pure. */
export function podStatus(state: PodState, facts: StatusFacts): PodStatus {
  const { pod, sandbox } = state;
  const over = terminalPhase(state);
  const phase = over ?? phaseOf(state);
  const ips = pod.spec.hostNetwork === true ? [facts.nodeIp] : (sandbox?.ips ?? []);
  // A finished pod keeps the address that it had.
  const shown =
    ips.length > 0 || phase === "Pending" || phase === "Running"
      ? ips
      : (pod.status?.podIPs ?? []).map(({ ip }) => ip);
  const init = (pod.spec.initContainers ?? []).map((container) => containerStatus(state, container, true));
  const containers = pod.spec.containers.map((container) => containerStatus(state, container, false));
  const status: PodStatus = {
    phase,
    conditions: conditions(state, phase, init, containers, facts.now),
    hostIP: facts.nodeIp,
    hostIPs: [{ ip: facts.nodeIp }],
    startTime: timestamp(state.seenAt),
    containerStatuses: containers,
    qosClass: qosClass(pod),
  };
  if (init.length > 0) status.initContainerStatuses = init;
  const [first] = shown;
  if (first !== undefined) {
    status.podIP = first;
    status.podIPs = shown.map((ip) => ({ ip }));
  }
  if (state.verdict !== undefined) {
    status.reason = state.verdict.reason;
    status.message = state.verdict.message;
  }
  return status;
}

function phaseOf(state: PodState): PodPhase {
  const started = state.pod.spec.containers.some(({ name }) => {
    const known = state.containers[name];
    return known?.run?.process !== undefined || known?.finished !== undefined;
  });
  return started ? "Running" : "Pending";
}

function isInitialised(state: PodState): boolean {
  return (state.pod.spec.initContainers ?? []).every((container) => {
    const known = state.containers[container.name];
    return isSidecar(container)
      ? known?.started === true
      : known?.run === undefined && known?.finished?.exitCode === 0;
  });
}

function containerStatus(state: PodState, container: Container, init: boolean): ContainerStatus {
  const known = state.containers[container.name];
  const image = canonicalImage(container.image ?? "");
  const base = {
    name: container.name,
    image,
    imageID: known?.run === undefined && known?.finished === undefined ? "" : image,
    restartCount: known?.restartCount ?? 0,
  };
  const containerId = known?.run === undefined ? undefined : { containerID: `containerd://${known.run.id}` };
  const lastState = known?.last === undefined ? {} : { lastState: { terminated: terminated(known.last) } };
  if (known?.run?.process !== undefined) {
    const running = { running: { startedAt: timestamp(known.run.startedAt) } };
    const ready = init && !isSidecar(container) ? false : known.ready;
    return { ...base, ...containerId, state: running, ...lastState, ready, started: known.started };
  }
  const over = terminalPhase(state) !== undefined || state.pod.metadata.deletionTimestamp !== undefined;
  if (known?.finished !== undefined) {
    const done = { terminated: terminated(known.finished) };
    const initDone = init && known.finished.exitCode === 0;
    if (over || initDone || !restarts(state.pod, known.finished)) {
      return { ...base, state: done, ...lastState, ready: initDone, started: false };
    }
    return {
      ...base,
      state: crashWait(state.pod, container, known),
      lastState: done,
      ready: false,
      started: false,
    };
  }
  return {
    ...base,
    state: { waiting: waitingFor(state, known, init) },
    ...lastState,
    ready: false,
    started: false,
  };
}

function restarts(pod: Pod, end: Finished): boolean {
  const policy = pod.spec.restartPolicy ?? "Always";
  return policy === "Always" || (policy === "OnFailure" && end.exitCode !== 0);
}

function crashWait(pod: Pod, container: Container, known: ContainerState): ContainerStatus["state"] & object {
  if (known.waiting !== undefined) return { waiting: known.waiting };
  const { ms = 0 } = known.backoff ?? {};
  if (ms === 0) return { terminated: terminated(known.finished as Finished) };
  return { waiting: { reason: "CrashLoopBackOff", message: backoffMessage(pod, container.name, ms) } };
}

/** "back-off 40s restarting failed container=web pod=web-1_default(uid)" */
export function backoffMessage(pod: Pod, container: string, ms: number): string {
  const { name, namespace = "default", uid = "" } = pod.metadata;
  return `back-off ${goDuration(ms)} restarting failed container=${container} pod=${name}_${namespace}(${uid})`;
}

/** "Back-off restarting failed container web in pod web-1_default(uid)": what the event says. */
export function backoffTitle(pod: Pod, container: string): string {
  const { name, namespace = "default", uid = "" } = pod.metadata;
  return `Back-off restarting failed container ${container} in pod ${name}_${namespace}(${uid})`;
}

/** As Go prints a duration: "10s", "1m20s", "5m0s", "500ms". */
export function goDuration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = (ms % 60_000) / 1000;
  return minutes === 0 ? `${seconds}s` : `${minutes}m${seconds}s`;
}

function waitingFor(
  state: PodState,
  known: ContainerState | undefined,
  init: boolean,
): { reason: string; message?: string } {
  if (known?.waiting !== undefined) return known.waiting;
  const hasInit = (state.pod.spec.initContainers ?? []).length > 0;
  if (hasInit && (init || !isInitialised(state))) return { reason: "PodInitializing" };
  return { reason: "ContainerCreating" };
}

function terminated(end: Finished) {
  return {
    exitCode: end.exitCode,
    ...(end.signal !== undefined && { signal: end.signal }),
    reason: end.reason,
    ...(end.message !== undefined && { message: end.message }),
    startedAt: timestamp(end.startedAt),
    finishedAt: timestamp(end.finishedAt),
  };
}

function conditions(
  state: PodState,
  phase: PodPhase,
  init: readonly ContainerStatus[],
  containers: readonly ContainerStatus[],
  now: number,
): Condition[] {
  const { pod } = state;
  const initialised = isInitialised(state);
  const unready = containers.filter(({ ready }) => !ready).map(({ name }) => name);
  const pending = init.filter(({ ready }) => !ready).map(({ name }) => name);
  const done = phase === "Succeeded";
  const readiness: Pick<Condition, "status" | "reason" | "message"> = done
    ? { status: "False", reason: "PodCompleted" }
    : phase === "Failed"
      ? { status: "False", reason: "PodFailed" }
      : unready.length === 0
        ? { status: "True" }
        : {
            status: "False",
            reason: "ContainersNotReady",
            message: `containers with unready status: [${unready.join(" ")}]`,
          };
  const gates = (pod.spec.readinessGates ?? []).filter(
    ({ conditionType }) =>
      pod.status?.conditions?.find(({ type }) => type === conditionType)?.status !== "True",
  );
  const ready =
    readiness.status === "True" && gates.length > 0
      ? ({
          status: "False",
          reason: "ReadinessGatesNotReady",
          message: "a readiness gate is not passed",
        } as const)
      : readiness;
  const wanted: Condition[] = [
    { type: "PodReadyToStartContainers", status: state.sandbox?.phase === "ready" ? "True" : "False" },
    initialised || done
      ? { type: "Initialized", status: "True", ...(done && { reason: "PodCompleted" }) }
      : {
          type: "Initialized",
          status: "False",
          reason: "ContainersNotInitialized",
          message: `containers with incomplete status: [${pending.join(" ")}]`,
        },
    { type: "Ready", ...ready },
    { type: "ContainersReady", ...readiness },
    { type: "PodScheduled", status: "True" },
  ];
  const before = pod.status?.conditions ?? [];
  const own = new Set(wanted.map(({ type }) => type));
  return [
    ...wanted.map((condition) =>
      withTimes(
        condition,
        before.find(({ type }) => type === condition.type),
        now,
      ),
    ),
    ...before.filter(({ type }) => !own.has(type)),
  ];
}

function withTimes(condition: Condition, before: Condition | undefined, now: number): Condition {
  const since = before?.status === condition.status ? before.lastTransitionTime : undefined;
  return { ...condition, lastProbeTime: null, lastTransitionTime: since ?? timestamp(now) };
}

/** Guaranteed: every container has equal requests and limits of both; BestEffort: none has any. */
export function qosClass(pod: Pod): "Guaranteed" | "Burstable" | "BestEffort" {
  const all = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].map(
    ({ resources }) => resources ?? {},
  );
  const kinds = ["cpu", "memory"];
  const names = (list: object | undefined): string[] =>
    Object.keys(list ?? {}).filter((name) => kinds.includes(name));
  if (all.every(({ requests, limits }) => names(requests).length + names(limits).length === 0))
    return "BestEffort";
  const equal = all.every(({ requests, limits }) =>
    kinds.every(
      (kind) => limits?.[kind] !== undefined && (requests?.[kind] ?? limits[kind]) === limits[kind],
    ),
  );
  return equal ? "Guaranteed" : "Burstable";
}
