import type { Cluster } from "./cluster.ts";
import type { EventQueue } from "./events.ts";
import type { SimPod } from "./pods.ts";
import type { BurstWorkload, DeploymentWorkload, JobsWorkload, TraceWorkload, Workload } from "./scenario.ts";

/** What a workload plays on. */
export interface Stage {
  readonly queue: EventQueue;
  readonly cluster: Cluster;
  /** Time of the clock at which the run began. */
  readonly startAt: number;
  newPod(workload: Workload, hooks: Pick<SimPod, "onReady" | "onLost">): SimPod;
}

/** Puts a workload's pods onto the clock. */
export function play(workload: Workload, stage: Stage): void {
  switch (workload.kind) {
    case "burst":
      playBurst(workload, stage);
      return;
    case "deployment":
      new Deployment(workload, stage).play();
      return;
    case "jobs":
      playJobs(workload, stage);
      return;
    case "trace":
      playTrace(workload, stage);
      return;
  }
}

/** A pod that ends by itself some time after it is ready. */
function launchMortal(workload: Workload, stage: Stage, lifetimeMs: number | undefined): void {
  const { queue, cluster } = stage;
  const onReady =
    lifetimeMs === undefined
      ? undefined
      : (pod: SimPod): void => queue.after(lifetimeMs, () => cluster.remove(pod));
  cluster.create(stage.newPod(workload, { onReady, onLost: undefined }));
}

function playBurst(workload: BurstWorkload, stage: Stage): void {
  const { atMs, overMs, pods, lifetimeMs } = workload;
  let made = 0;
  // One event at a time on the clock, however many pods there are.
  const next = (): void => {
    const at = (number: number): number => stage.startAt + atMs + (overMs * number) / pods;
    while (made < pods && at(made) <= stage.queue.now) {
      made++;
      launchMortal(workload, stage, lifetimeMs);
    }
    if (made < pods) stage.queue.at(at(made), next);
  };
  stage.queue.at(stage.startAt + atMs, next);
}

function playJobs(workload: JobsWorkload, stage: Stage): void {
  const { everyMs, pods, durationMs, fromMs, untilMs } = workload;
  let at = stage.startAt + fromMs;
  const next = (): void => {
    for (let pod = 0; pod < pods; pod++) launchMortal(workload, stage, durationMs);
    at += everyMs;
    if (at < stage.startAt + untilMs) stage.queue.at(at, next);
  };
  stage.queue.at(at, next);
}

function playTrace(workload: TraceWorkload, stage: Stage): void {
  const { queue, cluster, startAt } = stage;
  const live = new Map<string, SimPod>();
  let index = 0;
  const next = (): void => {
    for (let event = workload.events[index]; event !== undefined; event = workload.events[++index]) {
      const at = startAt + event.atMs;
      if (at > queue.now) {
        queue.at(at, next);
        return;
      }
      if (event.action === "add") {
        const pod = stage.newPod(workload, { onReady: undefined, onLost: undefined });
        live.set(event.pod, pod);
        cluster.create(pod);
      } else {
        const pod = live.get(event.pod);
        live.delete(event.pod);
        if (pod !== undefined) cluster.remove(pod);
      }
    }
  };
  queue.at(startAt, next);
}

/** A Deployment with one ReplicaSet, and two while it rolls. */
class Deployment {
  readonly #workload: DeploymentWorkload;
  readonly #stage: Stage;
  #wanted = 0;
  /** Pods of the present version and of those before it, oldest first. */
  #new = new Set<SimPod>();
  #old = new Set<SimPod>();
  readonly #ready = new Set<SimPod>();

  constructor(workload: DeploymentWorkload, stage: Stage) {
    this.#workload = workload;
    this.#stage = stage;
  }

  play(): void {
    const { queue, startAt } = this.#stage;
    const { atMs, replicas, scale, rolloutsMs } = this.#workload;
    for (const step of [{ atMs, replicas }, ...scale]) {
      queue.at(startAt + step.atMs, () => {
        this.#wanted = step.replicas;
        this.#step();
      });
    }
    for (const at of rolloutsMs) queue.at(startAt + at, () => this.#roll());
  }

  #roll(): void {
    this.#old = new Set([...this.#old, ...this.#new]);
    this.#new = new Set();
    this.#step();
  }

  #step(): void {
    const { maxSurge, maxUnavailable } = this.#workload;
    const isRolling = this.#old.size > 0;
    const most = this.#wanted + (isRolling ? Math.ceil(this.#wanted * maxSurge) : 0);
    const least = this.#wanted - Math.floor(this.#wanted * maxUnavailable);
    while (this.#new.size < this.#wanted && this.#new.size + this.#old.size < most) this.#create();
    for (const pod of this.#old) {
      const mayGo = !this.#ready.has(pod) || this.#ready.size > least;
      if (!mayGo && this.#new.size + this.#old.size <= most) break;
      this.#remove(pod, this.#old);
      if (this.#new.size < this.#wanted) this.#create();
    }
    for (const pod of this.#new) {
      if (this.#new.size <= this.#wanted) break;
      this.#remove(pod, this.#new);
    }
  }

  #create(): void {
    const pod = this.#stage.newPod(this.#workload, {
      onReady: () => {
        if (pod.isGone) return;
        this.#ready.add(pod);
        if (this.#old.size > 0) this.#step();
      },
      onLost: () => {
        if (!this.#new.delete(pod)) this.#old.delete(pod);
        this.#ready.delete(pod);
        this.#step();
      },
    });
    this.#new.add(pod);
    this.#stage.cluster.create(pod);
  }

  #remove(pod: SimPod, from: Set<SimPod>): void {
    from.delete(pod);
    this.#ready.delete(pod);
    this.#stage.cluster.remove(pod);
  }
}
