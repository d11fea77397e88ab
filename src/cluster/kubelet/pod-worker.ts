import type { Clock } from "../../base/clock.ts";
import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { Container, Pod } from "../../kube/resources.ts";
import { isAlive, type ProcessIdentity } from "../../linux/process.ts";
import type { EventRecorder } from "../events.ts";
import { type ContainerFacts, exitFile, newRunId, StartRefused, startContainer } from "./containers.ts";
import { decide, type Facts, nextBackoff, type Step } from "./decide.ts";
import { runInContainer } from "./exec.ts";
import { keepProbing, type ProbeKind, type ProbeVerdict } from "./probes.ts";
import { findStarted, readExitCode, signalGroup } from "./process.ts";
import type { Sandboxes } from "./sandbox.ts";
import type { Semaphore } from "./semaphore.ts";
import {
  type ContainerState,
  type Finished,
  newContainer,
  type PodState,
  type StateFolder,
} from "./state.ts";
import { backoffMessage, podStatus } from "./status.ts";
import type { StatusWriter } from "./status-writer.ts";

/** What all pods of the node share. */
export interface WorkerParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly folder: StateFolder;
  readonly sandboxes: Sandboxes;
  readonly statuses: StatusWriter;
  readonly containers: ContainerFacts;
  /** Slots for setting sandboxes up and taking them down. */
  readonly slots: Semaphore;
  readonly nodeIp: string;
  readonly networkReady: () => boolean;
  readonly crashBackoffMs: number;
  readonly maxCrashBackoffMs: number;
  /** Deletes the pod from the API server for good; resolves when it is gone there. */
  readonly deletePod: (pod: Pod) => Promise<void>;
  /** The worker is done and nothing of the pod is left. */
  readonly onGone: (uid: string) => void;
}

const firstSandboxRetryMs = 500;
const longestSandboxRetryMs = 10_000;
/** How often a process that an earlier kubelet started is looked at: only its parent is told of its end (ms). */
const adoptedPollMs = 500;
const imageRetryMs = 10_000;
const configRetryMs = 5_000;
const longestRetryMs = 300_000;

/** One pod's life on the node: decides, acts, reports, until nothing is left. */
export class PodWorker {
  readonly #parts: WorkerParts;
  readonly #state: PodState;
  readonly #probing = new Map<string, AbortController>();
  readonly #watched = new Map<string, AbortController>();
  #removed = false;
  #sandboxRetryAt = 0;
  #sandboxRetryMs = firstSandboxRetryMs;
  #wake: () => void = () => {};
  #isAwake = false;
  #stopped = false;
  #running: Promise<void> | undefined;

  constructor(parts: WorkerParts, state: PodState) {
    this.#parts = parts;
    this.#state = state;
  }

  get pod(): Pod {
    return this.#state.pod;
  }

  get state(): PodState {
    return this.#state;
  }

  start(): void {
    this.#running = this.#run().catch((error: unknown) => {
      this.#parts.log("error", "pod worker failed", { pod: this.#name(), error: messageOf(error) });
    });
  }

  /** Takes the newest object; `removed` when it is gone from the API server. */
  update(pod: Pod, removed: boolean): void {
    // The status here is ahead of the one that comes back.
    const status = this.#state.pod.status ?? pod.status;
    this.#state.pod = { ...pod, ...(status !== undefined && { status }) };
    this.#removed ||= removed;
    this.poke();
  }

  /** Something happened that may change the decision. */
  poke(): void {
    this.#isAwake = true;
    this.#wake();
  }

  /** Ends the worker and leaves the pod running. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const probe of this.#probing.values()) probe.abort();
    for (const watch of this.#watched.values()) watch.abort();
    this.poke();
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#recover();
    while (!this.#stopped) {
      this.#isAwake = false;
      const step = decide(this.#state, this.#facts());
      if (step.kind === "finish") {
        await this.#finish();
        return;
      }
      this.#report();
      if (step.kind === "wait") await this.#wait(step.until);
      else await this.#act(step);
    }
  }

  #facts(): Facts {
    return {
      now: this.#parts.clock.now(),
      networkReady: this.#parts.networkReady(),
      removed: this.#removed,
      sandboxRetryAt: this.#sandboxRetryAt,
      crashBackoffMs: this.#parts.crashBackoffMs,
      maxCrashBackoffMs: this.#parts.maxCrashBackoffMs,
    };
  }

  async #wait(until: number | undefined): Promise<void> {
    if (this.#isAwake || this.#stopped) return;
    const cancel = new AbortController();
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      if (until === undefined) return;
      const delayMs = Math.min(Math.max(0, until - this.#parts.clock.now()), 2 ** 31 - 1);
      this.#parts.clock.sleep(delayMs, cancel.signal).then(resolve, () => {});
    });
    this.#wake = () => {};
    cancel.abort();
  }

  async #act(step: Exclude<Step, { kind: "wait" | "finish" }>): Promise<void> {
    switch (step.kind) {
      case "create-sandbox":
        return this.#createSandbox();
      case "remove-sandbox":
        return this.#removeSandbox();
      case "start":
        for (const container of step.containers) await this.#start(container);
        return;
      case "stop":
        for (const name of step.containers) this.#stop(name, step.graceMs);
        return;
      case "kill":
        for (const name of step.containers) this.#kill(name);
        return;
    }
  }

  async #createSandbox(): Promise<void> {
    const { sandboxes, slots, clock, events, log } = this.#parts;
    const sandbox = sandboxes.plan(this.pod, clock.now());
    this.#state.sandbox = sandbox;
    this.#state.sandboxes++;
    this.#save();
    if (sandbox.phase === "ready") return;
    using _slot = await slots.acquire();
    if (this.#isLeaving()) return;
    try {
      await sandboxes.create(this.pod, sandbox);
      this.#sandboxRetryMs = firstSandboxRetryMs;
      this.#save();
    } catch (error) {
      const text = textOf(error);
      log("warn", "sandbox failed", { pod: this.#name(), error: text });
      events.record(this.pod, "Warning", "FailedCreatePodSandBox", text);
      await this.#dropSandbox(sandbox);
      this.#delaySandbox();
    }
  }

  async #removeSandbox(): Promise<void> {
    const { sandbox } = this.#state;
    if (sandbox === undefined) return;
    using _slot = await this.#parts.slots.acquire();
    const error = await this.#dropSandbox(sandbox);
    if (error === undefined) this.#sandboxRetryMs = firstSandboxRetryMs;
    else {
      this.#parts.events.record(
        this.pod,
        "Warning",
        "FailedKillPod",
        `error killing pod: failed to "KillPodSandbox" for "${this.pod.metadata.uid}" with KillPodSandboxError: "rpc error: code = Unknown desc = ${error}"`,
      );
      this.#delaySandbox();
    }
  }

  /** Takes the sandbox down; answers why not when that failed, and then it is still there. */
  async #dropSandbox(sandbox: NonNullable<PodState["sandbox"]>): Promise<string | undefined> {
    sandbox.phase = "removing";
    this.#save();
    try {
      await this.#parts.sandboxes.remove(this.pod, sandbox);
    } catch (error) {
      this.#parts.log("warn", "sandbox stays", { pod: this.#name(), error: textOf(error) });
      return textOf(error);
    }
    delete this.#state.sandbox;
    this.#save();
    return undefined;
  }

  #delaySandbox(): void {
    this.#sandboxRetryAt = this.#parts.clock.now() + this.#sandboxRetryMs;
    this.#sandboxRetryMs = Math.min(this.#sandboxRetryMs * 2, longestSandboxRetryMs);
  }

  #isLeaving(): boolean {
    return this.#removed || this.#stopped || this.pod.metadata.deletionTimestamp !== undefined;
  }

  async #start(container: Container): Promise<void> {
    const { clock, containers, events } = this.#parts;
    const known = this.#container(container.name);
    if (known.finished !== undefined) {
      known.restartCount++;
      known.last = known.finished;
    }
    const run: NonNullable<ContainerState["run"]> = { id: newRunId(), startedAt: clock.now() };
    const finished = known.finished;
    delete known.finished;
    known.run = run;
    // Written before the start: a kubelet that is killed in between finds the process by its exit file.
    this.#save();
    try {
      const process = await startContainer(this.#state, container, run, containers);
      run.process = process.identity;
      delete known.waiting;
      delete known.stopping;
      known.started = container.startupProbe === undefined;
      known.ready = container.readinessProbe === undefined && known.started;
      this.#save();
      events.record(
        this.pod,
        "Normal",
        "Pulled",
        `Container image "${container.image}" already present on machine`,
      );
      events.record(this.pod, "Normal", "Created", `Created container: ${container.name}`);
      events.record(this.pod, "Normal", "Started", `Started container ${container.name}`);
      void process.exited.then(() => this.#onExit(container.name, run.id));
      this.#probe(container);
    } catch (error) {
      delete known.run;
      if (finished !== undefined) {
        known.finished = finished;
        known.restartCount--;
      }
      this.#refuse(container, known, error);
      this.#save();
    }
  }

  #refuse(container: Container, known: ContainerState, error: unknown): void {
    const { clock, events } = this.#parts;
    const now = clock.now();
    if (!(error instanceof StartRefused)) {
      known.waiting = { reason: "ContainerCreating", message: messageOf(error) };
      known.backoff = { until: now + 1000, ms: 0 };
      return;
    }
    if (error.reason === "StartError") {
      events.record(this.pod, "Warning", "Failed", `Error: ${error.message}`);
      const end: Finished = {
        exitCode: 128,
        reason: "StartError",
        message: error.message,
        startedAt: now,
        finishedAt: now,
      };
      this.#ended(known, end);
      return;
    }
    const ms = Math.min(
      known.backoff === undefined ? baseRetryMs(error) : known.backoff.ms * 2 || baseRetryMs(error),
      longestRetryMs,
    );
    const first = known.waiting === undefined;
    if (error.reason === "ErrImagePull") {
      if (first) events.record(this.pod, "Warning", "Failed", error.message);
      events.record(this.pod, "Warning", "Failed", `Error: ${first ? "ErrImagePull" : "ImagePullBackOff"}`);
      known.waiting = first
        ? { reason: "ErrImagePull", message: error.message }
        : {
            reason: "ImagePullBackOff",
            message: `Back-off pulling image "${container.image}": ErrImagePull: ${error.message}`,
          };
      // The first message is shown for a moment before the back-off begins.
      known.backoff = first ? { until: now + 1000, ms: imageRetryMs / 2 } : { until: now + ms, ms };
      return;
    }
    known.waiting = { reason: error.reason, message: error.message };
    events.record(this.pod, "Warning", "Failed", `Error: ${error.message}`);
    known.backoff = { until: now + ms, ms };
  }

  #stop(name: string, graceMs: number): void {
    const { clock, events } = this.#parts;
    const known = this.#container(name);
    const now = clock.now();
    const first = known.stopping === undefined;
    known.stopping = { since: known.stopping?.since ?? now, killAt: now + graceMs };
    this.#endProbes(name);
    known.ready = false;
    if (first) events.record(this.pod, "Normal", "Killing", `Stopping container ${name}`);
    this.#save();
    if (first && known.run?.process !== undefined) signalGroup(known.run.process, "SIGTERM");
  }

  #kill(name: string): void {
    const known = this.#container(name);
    if (known.stopping !== undefined) known.stopping = { ...known.stopping, killed: true };
    const process = known.run?.process;
    if (process === undefined) return;
    signalGroup(process, "SIGKILL");
    this.#watch(name, known.run?.id ?? "", process);
  }

  /** Takes note of a run's end. */
  #onExit(name: string, runId: string): void {
    const known = this.#container(name);
    if (this.#stopped || known.run?.id !== runId) return;
    const { clock, folder } = this.#parts;
    const code = readExitCode(exitFile(folder.podDir(this.pod.metadata.uid ?? ""), name, runId));
    const { startedAt, process } = known.run;
    // The shell was killed with the program; what its children still do ends with the group.
    if (process !== undefined) signalOrphans(process);
    const exitCode = code ?? 137;
    this.#ended(known, {
      exitCode,
      ...(exitCode > 128 && { signal: exitCode - 128 }),
      reason: exitCode === 0 ? "Completed" : "Error",
      startedAt,
      finishedAt: clock.now(),
    });
    this.#endProbes(name);
    this.#watched.get(name)?.abort();
    this.#watched.delete(name);
    this.#save();
    this.poke();
  }

  #ended(known: ContainerState, end: Finished): void {
    delete known.run;
    delete known.waiting;
    delete known.stopping;
    known.finished = end;
    known.ready = false;
    known.started = false;
    known.backoff = nextBackoff(known.backoff, end, this.#parts);
    const name =
      Object.keys(this.#state.containers).find((each) => this.#state.containers[each] === known) ?? "";
    if (known.backoff.ms > 0 && !this.#isLeaving()) {
      const { events } = this.#parts;
      const message = backoffMessage(this.pod, name, known.backoff.ms).replace(
        /^back-off \S+ restarting failed container=(\S+) pod=/,
        "Back-off restarting failed container $1 in pod ",
      );
      events.record(this.pod, "Warning", "BackOff", message);
    }
  }

  /** Finds the pod again as an earlier kubelet left it. */
  #recover(): void {
    const { sandboxes, events, folder } = this.#parts;
    const { sandbox } = this.#state;
    if (sandbox?.phase === "creating") sandbox.phase = "removing";
    if (sandbox?.phase === "ready" && !sandboxes.isIntact(sandbox)) {
      sandbox.phase = "removing";
      events.record(
        this.pod,
        "Normal",
        "SandboxChanged",
        "Pod sandbox changed, it will be killed and re-created.",
      );
    }
    for (const [name, known] of Object.entries(this.#state.containers)) {
      const { run } = known;
      if (run === undefined) continue;
      run.process ??= findStarted(exitFile(folder.podDir(this.pod.metadata.uid ?? ""), name, run.id)) ?? lost;
      if (!isAlive(run.process)) {
        this.#onExit(name, run.id);
        continue;
      }
      this.#watch(name, run.id, run.process);
      const container = this.#spec(name);
      if (container !== undefined && known.stopping === undefined) this.#probe(container);
    }
  }

  /** Looks at a process that is not our child, or that was killed, until it is gone. */
  #watch(name: string, runId: string, process: ProcessIdentity): void {
    if (this.#watched.has(name)) return;
    const cancel = new AbortController();
    this.#watched.set(name, cancel);
    const look = async (): Promise<void> => {
      while (isAlive(process)) await this.#parts.clock.sleep(adoptedPollMs, cancel.signal);
      this.#onExit(name, runId);
    };
    look().catch(() => {});
  }

  #probe(container: Container): void {
    const { clock, events } = this.#parts;
    const cancel = new AbortController();
    this.#endProbes(container.name);
    this.#probing.set(container.name, cancel);
    const known = this.#container(container.name);
    const podIp =
      this.pod.spec.hostNetwork === true ? this.#parts.nodeIp : (this.#state.sandbox?.ips[0] ?? "");
    const target = {
      pod: this.pod,
      container,
      podIp,
      run: (command: readonly string[], timeoutMs: number) =>
        runInContainer(known.run?.process, command, { timeoutMs, cwd: container.workingDir }),
    };
    const keep = (kind: ProbeKind): void => {
      const probe = container[`${kind}Probe`];
      if (probe === undefined) return;
      const shown = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
      keepProbing(kind, probe, target, clock, cancel.signal, {
        verdict: (verdict) => this.#onVerdict(container, verdict, () => keepRest()),
        failure: (output) =>
          events.record(this.pod, "Warning", "Unhealthy", `${shown} probe failed: ${output}`),
      }).catch((error: unknown) =>
        this.#parts.log("error", "prober failed", { pod: this.#name(), error: messageOf(error) }),
      );
    };
    const keepRest = (): void => {
      keep("liveness");
      keep("readiness");
    };
    // The others begin when the container has started.
    if (container.startupProbe !== undefined && !known.started) keep("startup");
    else keepRest();
  }

  #onVerdict(container: Container, verdict: ProbeVerdict, onStarted: () => void): void {
    const known = this.#container(container.name);
    if (known.run === undefined || known.stopping !== undefined) return;
    if (verdict.kind === "readiness") {
      if (known.ready === verdict.success) return;
      known.ready = verdict.success;
    } else if (verdict.kind === "startup" && verdict.success) {
      known.started = true;
      known.ready = container.readinessProbe === undefined;
      onStarted();
    } else if (!verdict.success) {
      const { events } = this.#parts;
      events.record(
        this.pod,
        "Normal",
        "Killing",
        `Container ${container.name} failed ${verdict.kind} probe, will be restarted`,
      );
      const seconds = container[`${verdict.kind}Probe`]?.terminationGracePeriodSeconds;
      this.#stop(container.name, (seconds ?? this.pod.spec.terminationGracePeriodSeconds ?? 30) * 1000);
    } else return;
    this.#save();
    this.poke();
  }

  #endProbes(name: string): void {
    this.#probing.get(name)?.abort();
    this.#probing.delete(name);
  }

  async #finish(): Promise<void> {
    const { statuses, clock, folder, log, onGone, deletePod } = this.#parts;
    const uid = this.pod.metadata.uid ?? "";
    if (!this.#removed) {
      this.#report();
      await statuses.flush(uid);
      for (let retryMs = 100; !this.#removed && !this.#stopped; retryMs = Math.min(retryMs * 2, 5000)) {
        try {
          await deletePod(this.pod);
          break;
        } catch (error) {
          if (hasCode(error, "not_found", "conflict")) break;
          log("debug", "pod not deleted yet", { pod: this.#name(), error: messageOf(error) });
          await clock.sleep(retryMs);
        }
      }
    }
    statuses.forget(uid);
    folder.remove(uid);
    onGone(uid);
  }

  #report(): void {
    if (this.#removed) return;
    const status = podStatus(this.#state, { now: this.#parts.clock.now(), nodeIp: this.#parts.nodeIp });
    this.#parts.statuses.put(this.pod, status);
    this.#state.pod = { ...this.#state.pod, status };
  }

  #save(): void {
    this.#parts.folder.save(this.#state);
  }

  #container(name: string): ContainerState {
    const known = this.#state.containers[name] ?? newContainer();
    this.#state.containers[name] = known;
    return known;
  }

  #spec(name: string): Container | undefined {
    const { containers, initContainers = [] } = this.pod.spec;
    return [...containers, ...initContainers].find((container) => container.name === name);
  }

  #name(): string {
    return `${this.pod.metadata.namespace}/${this.pod.metadata.name}`;
  }
}

/** Stands for a process of which nothing is left. */
const lost: ProcessIdentity = { pid: 0, startTime: -1 };

const baseRetryMs = (refused: StartRefused): number =>
  refused.reason === "ErrImagePull" ? imageRetryMs : configRetryMs;

const textOf = (error: unknown): string => {
  const text = error instanceof EniverseError ? error.parts.facts?.cniText : undefined;
  return typeof text === "string" ? text : messageOf(error);
};

/** The group may have members left when its leader is gone. */
function signalOrphans({ pid }: ProcessIdentity): void {
  if (pid <= 1) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // Nobody is left.
  }
}
