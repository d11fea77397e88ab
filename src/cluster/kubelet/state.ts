import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import type { Pod } from "../../kube/resources.ts";
import type { ProcessIdentity } from "../../linux/process.ts";

/**
 * What the kubelet knows of a pod beside its object. It is written to disk before and after every step that leaves
 * something in the kernel, so that a kubelet that was killed finds everything again.
 */
export interface PodState {
  readonly version: 1;
  /** The object as last seen; a pod that is deleted while the kubelet is away is taken down by it. */
  pod: Pod;
  /** When the kubelet first saw the pod (ms since the epoch). */
  readonly seenAt: number;
  sandbox?: SandboxState;
  /** Sandboxes so far; a second one means that the first was lost. */
  sandboxes: number;
  /** Init containers too, by name. */
  containers: Record<string, ContainerState>;
  /** The pod must end for this reason, whatever its object says. */
  verdict?: { readonly reason: string; readonly message: string };
}

export interface SandboxState {
  readonly id: string;
  /**
   * "creating" from before the namespace is made until the plugins have answered, "removing" from the first
   * attempt to take it down: after a restart both mean taking it down.
   */
  phase: "creating" | "ready" | "removing";
  /** Absent for pods in the node's own network. */
  readonly netns?: string;
  /** Number of the namespace behind the path; another number means that the machine was restarted. */
  inode?: number;
  /** Start of the machine's first process (clock ticks), for pods of the node's own network: another one means a restart. */
  readonly boot?: number;
  /** The pod's addresses, the first one first. */
  ips: string[];
  readonly createdAt: number;
}

export interface Finished {
  readonly exitCode: number;
  readonly signal?: number;
  readonly reason: string;
  readonly message?: string;
  readonly startedAt: number;
  readonly finishedAt: number;
}

export interface ContainerState {
  restartCount: number;
  /** Set from before the process is started until its end was seen. */
  run?: {
    readonly id: string;
    readonly startedAt: number;
    /** Absent for the moment between the decision and the start. */
    process?: ProcessIdentity;
  };
  finished?: Finished;
  /** The end of the run before the present one. */
  last?: Finished;
  /** Waiting for another reason than a crash: an image, a configuration. */
  waiting?: { readonly reason: string; readonly message: string };
  /** Since when it is asked to stop, and when it is killed (ms since the epoch). */
  stopping?: { readonly since: number; readonly killAt: number; readonly killed?: boolean };
  /** Not to be started before (ms since the epoch), and the present wait. */
  backoff?: { readonly until: number; readonly ms: number };
  started: boolean;
  ready: boolean;
}

export const newContainer = (): ContainerState => ({ restartCount: 0, started: false, ready: false });

/** The folder with one folder per pod. */
export class StateFolder {
  readonly #folder: string;

  constructor(rootDir: string) {
    this.#folder = join(rootDir, "pods");
    mkdirSync(this.#folder, { recursive: true, mode: 0o750 });
  }

  podDir(uid: string): string {
    return join(this.#folder, uid);
  }

  /**
   * Outlives a killed process, not a lost machine: no fsync. The old file goes before the new one takes its name,
   * because ext4 writes a file out at once when it is renamed over another (auto_da_alloc); in between the whole
   * state is in the other file.
   */
  save(state: PodState): void {
    const dir = this.podDir(state.pod.metadata.uid ?? "");
    if (!existsSync(dir)) mkdirSync(dir, { recursive: true, mode: 0o750 });
    const file = join(dir, stateFile);
    writeFileSync(file + newer, JSON.stringify(state), { mode: 0o600 });
    rmSync(file, { force: true });
    renameSync(file + newer, file);
  }

  remove(uid: string): void {
    rmSync(this.podDir(uid), { recursive: true, force: true });
  }

  /** What can be read; a folder without a readable state holds nothing that was started. */
  load(): PodState[] {
    const states: PodState[] = [];
    for (const uid of readdirSync(this.#folder)) {
      const file = join(this.#folder, uid, stateFile);
      const state = readState(file) ?? readState(file + newer);
      if (state === undefined) this.remove(uid);
      else states.push(state);
    }
    return states;
  }
}

const stateFile = "state.json";
const newer = ".tmp";

function readState(file: string): PodState | undefined {
  try {
    const state: unknown = JSON.parse(readFileSync(file, "utf8"));
    return isState(state) ? state : undefined;
  } catch {
    return undefined;
  }
}

const isState = (value: unknown): value is PodState =>
  typeof value === "object" && value !== null && "version" in value && value.version === 1 && "pod" in value;
