import type { Container, Pod, PodPhase } from "../../kube/resources.ts";
import type { ContainerState, Finished, PodState } from "./state.ts";

/** What is to be done next for a pod. Pure: `decide` is called again after every step and every event. */
export type Step =
  | { readonly kind: "create-sandbox" }
  | { readonly kind: "remove-sandbox" }
  | { readonly kind: "start"; readonly containers: readonly Container[]; readonly init: boolean }
  /** Ask processes to end, with this much time to do so. */
  | { readonly kind: "stop"; readonly containers: readonly string[]; readonly graceMs: number }
  | { readonly kind: "kill"; readonly containers: readonly string[] }
  /** Nothing of the pod is left on the node. */
  | { readonly kind: "finish" }
  /** Until something happens, or until the time (ms since the epoch). */
  | { readonly kind: "wait"; readonly until?: number };

/** What a decision needs to know beside the pod and its state. */
export interface Facts {
  readonly now: number;
  /** False while there is no network configuration. */
  readonly networkReady: boolean;
  /** The pod is gone from the API server. */
  readonly removed: boolean;
  /** No sandbox is to be tried before (ms since the epoch). */
  readonly sandboxRetryAt: number;
  /** Crashed containers are started again after this time, doubling to the longest (ms). */
  readonly crashBackoffMs: number;
  readonly maxCrashBackoffMs: number;
}

/** A container that ran for so long starts its back-off anew (ms; kubelet MaxContainerBackOff × 2). */
const steadyMs = 600_000;

export const isSidecar = (container: Container): boolean => container.restartPolicy === "Always";

export function decide(state: PodState, facts: Facts): Step {
  const { pod } = state;
  const isOver = terminalPhase(state) !== undefined;
  const leaving =
    facts.removed ||
    pod.metadata.deletionTimestamp !== undefined ||
    isOver ||
    state.verdict !== undefined ||
    pastDeadline(state, facts.now);
  if (leaving) return takeDown(state, facts, facts.removed || pod.metadata.deletionTimestamp !== undefined);
  if (state.sandbox !== undefined && state.sandbox.phase !== "ready") {
    return stopAll(state, facts, 0) ?? gated(facts, { kind: "remove-sandbox" });
  }
  if (state.sandbox === undefined) {
    // Containers of a lost sandbox end with it.
    const left = stopAll(state, facts, 0);
    if (left !== undefined) return left;
    if (pod.spec.hostNetwork !== true && !facts.networkReady) return { kind: "wait" };
    return gated(facts, { kind: "create-sandbox" });
  }
  const killing = overdue(state, facts.now);
  if (killing.length > 0) return { kind: "kill", containers: killing };
  return initialise(state, facts) ?? maintain(state, facts);
}

/** Succeeded or Failed when no container will ever run again. */
export function terminalPhase(state: PodState): PodPhase | undefined {
  const { pod, verdict } = state;
  const running = Object.values(state.containers).some(({ run }) => run !== undefined);
  if (running) return undefined;
  const before = pod.status?.phase;
  if (before === "Succeeded" || before === "Failed") return before;
  if (verdict !== undefined) return "Failed";
  const policy = pod.spec.restartPolicy ?? "Always";
  if (policy === "Always") return undefined;
  const failedInit = (pod.spec.initContainers ?? []).some(
    (container) => !isSidecar(container) && (endOf(state, container)?.exitCode ?? 0) !== 0,
  );
  if (failedInit && policy === "Never") return "Failed";
  const ends = pod.spec.containers.map((container) => endOf(state, container));
  if (ends.some((end) => end === undefined)) return undefined;
  if (ends.every((end) => end?.exitCode === 0)) return "Succeeded";
  return policy === "Never" ? "Failed" : undefined;
}

const endOf = (state: PodState, { name }: Container): Finished | undefined =>
  state.containers[name]?.finished;

/** True when the pod has been active for longer than its spec allows. */
export function pastDeadline({ pod, seenAt }: PodState, now: number): boolean {
  const { activeDeadlineSeconds } = pod.spec;
  return activeDeadlineSeconds !== undefined && seenAt + activeDeadlineSeconds * 1000 <= now;
}

/** How long the pod's processes may take to end (ms). */
export function graceOf(pod: Pod): number {
  return (pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30) * 1000;
}

function takeDown(state: PodState, facts: Facts, deleted: boolean): Step {
  const left = stopAll(state, facts, graceOf(state.pod));
  if (left !== undefined) return left;
  if (state.sandbox !== undefined) return gated(facts, { kind: "remove-sandbox" });
  return deleted ? { kind: "finish" } : { kind: "wait" };
}

const gated = (facts: Facts, step: Step): Step =>
  facts.sandboxRetryAt > facts.now ? { kind: "wait", until: facts.sandboxRetryAt } : step;

/** Stops what runs: asks first, kills when the time is over, waits in between. Undefined: nothing runs. */
function stopAll(state: PodState, facts: Facts, graceMs: number): Step | undefined {
  const running = Object.entries(state.containers).filter(([, { run }]) => run !== undefined);
  if (running.length === 0) return undefined;
  // A shorter grace period than the one that was first given holds at once.
  const asked = (container: ContainerState): boolean =>
    container.stopping !== undefined && container.stopping.killAt <= container.stopping.since + graceMs;
  const unasked = running.filter(([, container]) => !asked(container)).map(([name]) => name);
  if (unasked.length > 0) return { kind: "stop", containers: unasked, graceMs };
  const killing = overdue(state, facts.now);
  if (killing.length > 0) return { kind: "kill", containers: killing };
  const waits = running
    .filter(([, { stopping }]) => stopping?.killed !== true)
    .map(([, { stopping }]) => stopping?.killAt ?? facts.now);
  return waits.length === 0 ? { kind: "wait" } : { kind: "wait", until: Math.min(...waits) };
}

function overdue(state: PodState, now: number): string[] {
  return Object.entries(state.containers)
    .filter(
      ([, { run, stopping }]) =>
        run !== undefined && stopping !== undefined && stopping.killed !== true && stopping.killAt <= now,
    )
    .map(([name]) => name);
}

/** The next init container; undefined when all are done. */
function initialise(state: PodState, facts: Facts): Step | undefined {
  for (const container of state.pod.spec.initContainers ?? []) {
    const known = state.containers[container.name];
    if (isSidecar(container)) {
      if (known?.run === undefined) return startWhenDue(container, known, facts, true);
      if (!known.started) return { kind: "wait" };
      continue;
    }
    if (known?.run === undefined && isDone(state, known)) continue;
    if (known?.run !== undefined) return waitForStops(state);
    if (known?.finished !== undefined && (state.pod.spec.restartPolicy ?? "Always") === "Never")
      return { kind: "wait" };
    return startWhenDue(container, known, facts, true);
  }
  return undefined;
}

/** An init container has to succeed once in each sandbox: what it did in a lost one is lost. */
const isDone = ({ sandbox }: PodState, known: ContainerState | undefined): boolean =>
  known?.finished?.exitCode === 0 && known.finished.startedAt >= (sandbox?.createdAt ?? 0);

function startWhenDue(
  container: Container,
  known: ContainerState | undefined,
  facts: Facts,
  init: boolean,
): Step {
  const at = startAt(known);
  if (at > facts.now) return { kind: "wait", until: at };
  return { kind: "start", containers: [container], init };
}

const startAt = (known: ContainerState | undefined): number => known?.backoff?.until ?? 0;

/** Starts what is missing and what may be started again. */
function maintain(state: PodState, facts: Facts): Step {
  const due: Container[] = [];
  let until = Number.POSITIVE_INFINITY;
  const policy = state.pod.spec.restartPolicy ?? "Always";
  for (const container of state.pod.spec.containers) {
    const known = state.containers[container.name];
    if (known?.run !== undefined) continue;
    const end = known?.finished;
    if (end !== undefined && (policy === "Never" || (policy === "OnFailure" && end.exitCode === 0))) continue;
    const at = startAt(known);
    if (at <= facts.now) due.push(container);
    else until = Math.min(until, at);
  }
  if (due.length > 0) return { kind: "start", containers: due, init: false };
  const waiting = waitForStops(state);
  const times = [until, waiting.until ?? Number.POSITIVE_INFINITY, deadlineOf(state)];
  const earliest = Math.min(...times);
  return Number.isFinite(earliest) ? { kind: "wait", until: earliest } : { kind: "wait" };
}

function deadlineOf({ pod, seenAt }: PodState): number {
  const { activeDeadlineSeconds } = pod.spec;
  return activeDeadlineSeconds === undefined
    ? Number.POSITIVE_INFINITY
    : seenAt + activeDeadlineSeconds * 1000;
}

function waitForStops(state: PodState): { kind: "wait"; until?: number } {
  const times = Object.values(state.containers)
    .filter(({ run, stopping }) => run !== undefined && stopping !== undefined && stopping.killed !== true)
    .map(({ stopping }) => stopping?.killAt ?? 0);
  return times.length === 0 ? { kind: "wait" } : { kind: "wait", until: Math.min(...times) };
}

/**
 * The wait before a container that ended is started again: none after the first end, then the base, doubling;
 * from the beginning again when it had run for ten minutes.
 */
export function nextBackoff(
  before: ContainerState["backoff"],
  end: Finished,
  limits: Pick<Facts, "crashBackoffMs" | "maxCrashBackoffMs">,
): NonNullable<ContainerState["backoff"]> {
  const steady = end.finishedAt - end.startedAt >= steadyMs;
  if (before === undefined || steady) return { until: 0, ms: 0 };
  const ms = before.ms === 0 ? limits.crashBackoffMs : Math.min(before.ms * 2, limits.maxCrashBackoffMs);
  return { until: end.finishedAt + ms, ms };
}
