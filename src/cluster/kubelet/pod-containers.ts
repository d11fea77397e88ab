import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { Container, Pod } from "../../kube/resources.ts";
import { isAlive, type ProcessIdentity } from "../../linux/process.ts";
import type { EventRecorder } from "../events.ts";
import { type ContainerFacts, exitFile, newRunId, StartRefused, startContainer } from "./containers.ts";
import { nextBackoff } from "./decide.ts";
import { runInContainer } from "./exec.ts";
import { PodProbes } from "./pod-probes.ts";
import type { ProbeVerdict } from "./probes.ts";
import { findStarted, readExitCode, signalGroup, signalLeftovers } from "./process.ts";
import { refusalState } from "./refusal.ts";
import {
  type ContainerState,
  type Finished,
  newContainer,
  type PodState,
  type StateFolder,
} from "./state.ts";
import { backoffTitle } from "./status.ts";

export interface PodContainersParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly folder: StateFolder;
  readonly containers: ContainerFacts;
  readonly nodeIp: string;
  readonly crashBackoffMs: number;
  readonly maxCrashBackoffMs: number;
}

/** What the containers need of their pod's worker. */
export interface PodContainersHooks {
  /** A container's state has changed and is written down. */
  readonly onChange: () => void;
  /** True when nothing of the pod will be started again. */
  readonly isLeaving: () => boolean;
}

/** How often a process that an earlier kubelet started is looked at: only its parent is told of its end (ms). */
const adoptedPollMs = 500;
/** The longest that a postStart hook may take (ms). */
const hookMs = 60_000;

/** Starts, stops and watches the processes of one pod, and keeps its state's container part. */
export class PodContainers {
  readonly #parts: PodContainersParts;
  readonly #state: PodState;
  readonly #hooks: PodContainersHooks;
  readonly #probes: PodProbes;
  readonly #watched = new Map<string, AbortController>();
  #closed = false;

  constructor(parts: PodContainersParts, state: PodState, hooks: PodContainersHooks) {
    this.#parts = parts;
    this.#state = state;
    this.#hooks = hooks;
    this.#probes = new PodProbes({
      clock: parts.clock,
      log: parts.log,
      onVerdict: (container, verdict) => this.#onVerdict(container, verdict),
      onFailure: (text) => parts.events.record(this.#pod, "Warning", "Unhealthy", text),
    });
  }

  get #pod(): Pod {
    return this.#state.pod;
  }

  /** Ends all watching and leaves the processes running. */
  close(): void {
    this.#closed = true;
    this.#probes.stopAll();
    for (const watch of this.#watched.values()) watch.abort();
  }

  /** Finds the processes that an earlier kubelet started, or what their ends were. */
  recover(): void {
    for (const [name, known] of Object.entries(this.#state.containers)) {
      const { run } = known;
      if (run === undefined) continue;
      run.process ??= findStarted(this.#exitFile(name, run.id)) ?? lost;
      if (!isAlive(run.process)) {
        this.#onExit(name, run.id);
        continue;
      }
      this.#watch(name, run.id, run.process);
      const container = this.#spec(name);
      if (container !== undefined && known.stopping === undefined) this.#probe(container);
    }
  }

  /** Starts the container; when that is refused its state says why and when to try again. */
  async start(container: Container): Promise<void> {
    const { clock, containers, events } = this.#parts;
    const known = this.#container(container.name);
    const finished = known.finished;
    if (finished !== undefined) {
      known.restartCount++;
      known.last = finished;
    }
    delete known.finished;
    const run: NonNullable<ContainerState["run"]> = { id: newRunId(), startedAt: clock.now() };
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
        this.#pod,
        "Normal",
        "Pulled",
        `Container image "${container.image}" already present on machine`,
      );
      events.record(this.#pod, "Normal", "Created", `Created container: ${container.name}`);
      events.record(this.#pod, "Normal", "Started", `Started container ${container.name}`);
      void process.exited.then(() => this.#onExit(container.name, run.id));
      this.#probe(container);
      void this.#hook(container.name, "postStart", hookMs).then((succeeded) => {
        if (!succeeded && known.run?.id === run.id) this.stop(container.name, 0);
        if (!succeeded) this.#hooks.onChange();
      });
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
    if (error instanceof StartRefused && error.reason === "StartError") {
      events.record(this.#pod, "Warning", "Failed", `Error: ${error.message}`);
      const times = { startedAt: now, finishedAt: now };
      if (known.finished !== undefined) known.restartCount++;
      this.#ended(container.name, known, {
        exitCode: 128,
        reason: error.reason,
        message: error.message,
        ...times,
      });
      return;
    }
    const refusal = refusalState(container, known, error, now);
    known.waiting = refusal.waiting;
    known.backoff = refusal.backoff;
    for (const message of refusal.warnings) events.record(this.#pod, "Warning", "Failed", message);
  }

  /** Asks the container's processes to end; they are killed when `graceMs` are over. */
  stop(name: string, graceMs: number): void {
    const { clock, events } = this.#parts;
    const known = this.#container(name);
    const now = clock.now();
    const first = known.stopping === undefined;
    known.stopping = { since: known.stopping?.since ?? now, killAt: now + graceMs };
    this.#probes.stop(name);
    known.ready = false;
    if (first) events.record(this.#pod, "Normal", "Killing", `Stopping container ${name}`);
    this.#save();
    const process = known.run?.process;
    if (!first || process === undefined) return;
    void this.#hook(name, "preStop", graceMs).then(() => {
      if (isAlive(process)) signalGroup(process, "SIGTERM");
    });
  }

  /** Runs a life-cycle hook of the container, if it has one; false when it failed. Never rejects. */
  async #hook(name: string, kind: "preStop" | "postStart", timeoutMs: number): Promise<boolean> {
    const hook = this.#spec(name)?.lifecycle?.[kind];
    const process = this.#container(name).run?.process;
    if (hook?.sleep !== undefined)
      await this.#parts.clock.sleep(Math.min(hook.sleep.seconds * 1000, timeoutMs));
    const command = hook?.exec?.command;
    if (command === undefined) return true;
    const { exitCode, output } = await runInContainer(process, command, {
      timeoutMs,
      cwd: this.#spec(name)?.workingDir,
    });
    if (exitCode === 0) return true;
    const title = kind === "preStop" ? "PreStopHook" : "PostStartHook";
    this.#parts.events.record(this.#pod, "Warning", `Failed${title}`, `${title} failed: ${output.trim()}`);
    return false;
  }

  kill(name: string): void {
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
    if (this.#closed || known.run?.id !== runId) return;
    const code = readExitCode(this.#exitFile(name, runId));
    const { startedAt, process } = known.run;
    // When the shell was killed with the program, or the program left children behind.
    if (process !== undefined) signalLeftovers(process);
    const exitCode = code ?? 137;
    this.#probes.stop(name);
    this.#watched.get(name)?.abort();
    this.#watched.delete(name);
    this.#ended(name, known, {
      exitCode,
      ...(exitCode > 128 && { signal: exitCode - 128 }),
      reason: exitCode === 0 ? "Completed" : "Error",
      startedAt,
      finishedAt: this.#parts.clock.now(),
    });
    this.#save();
    this.#hooks.onChange();
  }

  #ended(name: string, known: ContainerState, end: Finished): void {
    delete known.run;
    delete known.waiting;
    delete known.stopping;
    known.finished = end;
    known.ready = false;
    known.started = false;
    known.backoff = nextBackoff(known.backoff, end, this.#parts);
    if (known.backoff.ms === 0 || this.#hooks.isLeaving()) return;
    this.#parts.events.record(this.#pod, "Warning", "BackOff", backoffTitle(this.#pod, name));
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
    look().catch((error: unknown) => {
      if (!cancel.signal.aborted) {
        this.#parts.log("error", "watching a process failed", { container: name, error: messageOf(error) });
      }
    });
  }

  #probe(container: Container): void {
    const known = this.#container(container.name);
    const podIp =
      this.#pod.spec.hostNetwork === true ? this.#parts.nodeIp : (this.#state.sandbox?.ips[0] ?? "");
    this.#probes.start(this.#pod, container, podIp, known.started, (command, timeoutMs) =>
      runInContainer(known.run?.process, command, { timeoutMs, cwd: container.workingDir }),
    );
  }

  #onVerdict(container: Container, { kind, success }: ProbeVerdict): void {
    const known = this.#container(container.name);
    if (known.run === undefined || known.stopping !== undefined) return;
    if (kind === "readiness") {
      if (known.ready === success) return;
      known.ready = success;
    } else if (!success) {
      const { events } = this.#parts;
      const message = `Container ${container.name} failed ${kind} probe, will be restarted`;
      events.record(this.#pod, "Normal", "Killing", message);
      const seconds = container[`${kind}Probe`]?.terminationGracePeriodSeconds;
      this.stop(container.name, (seconds ?? this.#pod.spec.terminationGracePeriodSeconds ?? 30) * 1000);
    } else if (kind === "startup") {
      known.started = true;
      known.ready = container.readinessProbe === undefined;
    } else return;
    this.#save();
    this.#hooks.onChange();
  }

  #save(): void {
    this.#parts.folder.save(this.#state);
  }

  #exitFile(name: string, runId: string): string {
    return exitFile(this.#parts.folder.podDir(this.#pod.metadata.uid ?? ""), name, runId);
  }

  #container(name: string): ContainerState {
    const known = this.#state.containers[name] ?? newContainer();
    this.#state.containers[name] = known;
    return known;
  }

  #spec(name: string): Container | undefined {
    const { containers, initContainers = [] } = this.#pod.spec;
    return [...containers, ...initContainers].find((container) => container.name === name);
  }
}

/** Stands for a process of which nothing is left. */
const lost: ProcessIdentity = { pid: 0, startTime: -1 };
