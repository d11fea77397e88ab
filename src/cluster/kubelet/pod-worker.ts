import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import type { Pod } from "../../kube/resources.ts";
import { decide, type Facts, pastDeadline, type Step } from "./decide.ts";
import { PodContainers, type PodContainersParts } from "./pod-containers.ts";
import type { Sandboxes } from "./sandbox.ts";
import type { Semaphore } from "./semaphore.ts";
import type { PodState } from "./state.ts";
import { podStatus } from "./status.ts";
import type { StatusWriter } from "./status-writer.ts";

/** What all pods of the node share. */
export interface WorkerParts extends PodContainersParts {
  readonly sandboxes: Sandboxes;
  readonly statuses: StatusWriter;
  /** Slots for setting sandboxes up. */
  readonly slots: Semaphore;
  /** Slots for taking them down: an ADD may wait for the very address that a DEL behind it would bring back. */
  readonly removalSlots: Semaphore;
  readonly networkReady: () => boolean;
  /** Deletes the pod from the API server for good; resolves when it is gone there. */
  readonly deletePod: (pod: Pod) => Promise<void>;
  /** The worker is done and nothing of the pod is left. */
  readonly onGone: (uid: string) => void;
}

const firstSandboxRetryMs = 500;
const longestSandboxRetryMs = 10_000;
/** After an error that nobody thought of the worker goes on after this time (ms). */
const stumbleMs = 1_000;

/** One pod's life on the node: decides, acts, reports, until nothing is left. */
export class PodWorker {
  readonly #parts: WorkerParts;
  readonly #state: PodState;
  readonly #containers: PodContainers;
  #removed = false;
  #sandboxRetryAt = 0;
  #sandboxRetryMs = firstSandboxRetryMs;
  #wake: () => void = () => {};
  #isAwake = false;
  #stopped = false;
  /** Aborted when the pod is to go: an ADD that waits for an address then ends at once. */
  readonly #leaving = new AbortController();
  #running: Promise<void> | undefined;

  constructor(parts: WorkerParts, state: PodState) {
    this.#parts = parts;
    this.#state = state;
    this.#containers = new PodContainers(parts, state, {
      onChange: () => this.poke(),
      isLeaving: () => this.#isLeaving(),
    });
  }

  get pod(): Pod {
    return this.#state.pod;
  }

  get state(): PodState {
    return this.#state;
  }

  start(): void {
    this.#running = this.#run();
  }

  /** Takes the newest object; `removed` when it is gone from the API server. */
  update(pod: Pod, removed: boolean): void {
    this.#parts.statuses.observe(pod);
    // The status here is ahead of the one that comes back.
    const status = this.#state.pod.status ?? pod.status;
    this.#state.pod = { ...pod, ...(status !== undefined && { status }) };
    this.#removed ||= removed;
    // Of a pod that is gone there the API server takes no status any more, and nobody may wait for that.
    if (removed) this.#parts.statuses.forget(pod.metadata.uid ?? "");
    if (this.#isLeaving()) this.#leaving.abort();
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
    this.#containers.close();
    this.poke();
    await this.#running;
  }

  async #run(): Promise<void> {
    this.#recover();
    while (!this.#stopped) {
      try {
        if (await this.#step()) return;
      } catch (error) {
        this.#parts.log("error", "pod worker stumbled", { pod: this.#name(), error: messageOf(error) });
        await this.#parts.clock.sleep(stumbleMs);
      }
    }
  }

  /** True when nothing is left to do for good. */
  async #step(): Promise<boolean> {
    this.#isAwake = false;
    if (this.#state.verdict === undefined && pastDeadline(this.#state, this.#parts.clock.now())) {
      const message = "Pod was active on the node longer than the specified deadline";
      this.#state.verdict = { reason: "DeadlineExceeded", message };
      this.#parts.events.record(this.pod, "Normal", "DeadlineExceeded", message);
      this.#save();
    }
    const step = decide(this.#state, this.#facts());
    if (step.kind === "finish") {
      await this.#finish();
      return true;
    }
    this.#report();
    if (step.kind === "wait") await this.#wait(step.until);
    else await this.#act(step);
    return false;
  }

  /** Finds the pod again as an earlier kubelet left it. */
  #recover(): void {
    const { sandboxes, events } = this.#parts;
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
    this.#containers.recover();
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
        for (const container of step.containers) await this.#containers.start(container);
        return;
      case "stop":
        for (const name of step.containers) this.#containers.stop(name, step.graceMs);
        return;
      case "kill":
        for (const name of step.containers) this.#containers.kill(name);
        return;
    }
  }

  async #createSandbox(): Promise<void> {
    const { sandboxes, slots, clock, events, log } = this.#parts;
    const { signal } = this.#leaving;
    // Waits for its turn with nothing made: a pod that goes meanwhile needs no DEL.
    using _slot =
      this.pod.spec.hostNetwork === true ? undefined : await slots.acquire(signal).catch(() => undefined);
    if (this.#isLeaving()) return;
    const sandbox = sandboxes.plan(this.pod, clock.now());
    this.#state.sandbox = sandbox;
    this.#state.sandboxes++;
    this.#save();
    if (sandbox.phase === "ready") return;
    try {
      await sandboxes.create(this.pod, sandbox, signal);
      this.#sandboxRetryMs = firstSandboxRetryMs;
      this.#save();
    } catch (error) {
      if (signal.aborted) {
        await this.#dropSandbox(sandbox);
        return;
      }
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
    using _slot = await this.#parts.removalSlots.acquire();
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

  #name(): string {
    return `${this.pod.metadata.namespace}/${this.pod.metadata.name}`;
  }
}

const textOf = (error: unknown): string => {
  const text = error instanceof EniverseError ? error.parts.facts?.cniText : undefined;
  return typeof text === "string" ? text : messageOf(error);
};
