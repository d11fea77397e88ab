import type { Clock } from "../../base/clock.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Resource } from "../../kube/objects.ts";
import { type Binding, type Node, type Pod, pods as podResource } from "../../kube/resources.ts";
import { conditionOf, isActive } from "../controllers/pods.ts";
import type { Store } from "../controllers/store.ts";
import type { EventRecorder } from "../events.ts";
import { timestamp } from "../time.ts";
import { choose, type NodeLoad } from "./choose.ts";
import { type Preemption, preempt } from "./preempt.ts";

/** POST /api/v1/namespaces/NS/bindings: the pod named by the binding goes on the node named by its target. */
const bindings: Resource<Binding> = {
  group: "",
  version: "v1",
  plural: "bindings",
  kind: "Binding",
  namespaced: true,
};

/** How many bindings are under way at once. */
const bindsAtOnce = 16;
/** A pod that failed to bind is tried again after this time (ms). */
const retryMs = 200;

export interface SchedulerParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
  readonly pods: Store<Pod>;
  readonly nodes: Store<Node>;
}

/**
 * Binds every pod that has no node, most important and oldest first. A pod that fits nowhere waits until a node or
 * another pod changes.
 */
export function runScheduler(parts: SchedulerParts): { stop(): Promise<void> } {
  const scheduler = new Scheduler(parts);
  return { stop: () => scheduler.stop() };
}

class Scheduler {
  readonly #parts: SchedulerParts;
  readonly #byNode: (node: string) => Pod[];
  /** Chosen, but not yet seen as bound by the informer. */
  readonly #assumed = new Map<string, { readonly pod: Pod; readonly node: string }>();
  readonly #waiting = new Map<string, Pod>();
  readonly #unfit = new Map<string, Pod>();
  /** Told to go, perhaps not yet seen as going. */
  readonly #victims = new Set<string>();
  readonly #binding = new Set<Promise<void>>();
  #planned = false;
  #stopped = false;

  constructor(parts: SchedulerParts) {
    this.#parts = parts;
    this.#byNode = parts.pods.index((pod) =>
      isBound(pod) && !isFinished(pod) ? [pod.spec.nodeName ?? ""] : [],
    );
    parts.pods.listen(({ object, before, deleted }) => this.#onPod(object, before, deleted));
    parts.nodes.listen(({ object, before }) => {
      if (before === undefined || changesFit(object, before)) this.#retryUnfit();
    });
    void Promise.all([parts.pods.synced, parts.nodes.synced]).then(
      () => this.#wake(),
      () => {},
    );
    for (const pod of parts.pods.list()) this.#onPod(pod, undefined, false);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#waiting.clear();
    await Promise.allSettled(this.#binding);
  }

  #onPod(pod: Pod, before: Pod | undefined, deleted: boolean): void {
    const key = keyOf(pod);
    const freed = before !== undefined && isBound(before) && !isFinished(before) && isFinished(pod);
    if (deleted) this.#victims.delete(key);
    if (deleted || isBound(pod) || !isActive(pod)) {
      this.#waiting.delete(key);
      this.#unfit.delete(key);
      this.#assumed.delete(key);
      if (deleted || freed || before?.spec.nodeName === undefined) this.#retryUnfit();
      return;
    }
    if (pod.spec.schedulerName !== undefined && pod.spec.schedulerName !== "default-scheduler") return;
    if (this.#assumed.has(key)) return;
    const known = this.#unfit.get(key);
    if (known !== undefined && known.metadata.generation === pod.metadata.generation) {
      this.#unfit.set(key, pod);
      return;
    }
    this.#unfit.delete(key);
    this.#waiting.set(key, pod);
    this.#wake();
  }

  #retryUnfit(): void {
    if (this.#unfit.size === 0) return;
    for (const [key, pod] of this.#unfit) this.#waiting.set(key, pod);
    this.#unfit.clear();
    this.#wake();
  }

  /** One round for all changes of one turn. */
  #wake(): void {
    if (this.#planned || this.#stopped) return;
    this.#planned = true;
    queueMicrotask(() => {
      this.#planned = false;
      this.#round();
    });
  }

  #round(): void {
    const queue = [...this.#waiting.values()].sort(byImportance);
    if (queue.length === 0) return;
    const loads = this.#loads();
    for (const pod of queue) {
      if (this.#stopped || this.#binding.size >= bindsAtOnce) return;
      const key = keyOf(pod);
      this.#waiting.delete(key);
      const choice = choose(pod, loads);
      if (choice.kind === "none") {
        this.#unfit.set(key, pod);
        const preemption = preempt(pod, loads);
        this.#sayUnfit(pod, choice.message, preemption?.node);
        if (preemption !== undefined) this.#makeRoom(pod, preemption);
        continue;
      }
      this.#assumed.set(key, { pod, node: choice.name });
      loads.find(({ node }) => node.metadata.name === choice.name)?.pods.push(pod);
      const work = this.#bind(pod, choice.name).finally(() => {
        this.#binding.delete(work);
        if (this.#waiting.size > 0) this.#wake();
      });
      this.#binding.add(work);
    }
  }

  #loads(): (NodeLoad & { readonly pods: Pod[] })[] {
    const loads = this.#parts.nodes
      .list()
      .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
      .map((node) => ({ node, pods: this.#byNode(node.metadata.name) }));
    for (const { pod, node } of this.#assumed.values()) {
      loads.find((load) => load.node.metadata.name === node)?.pods.push(pod);
    }
    return loads;
  }

  async #bind(pod: Pod, node: string): Promise<void> {
    const { client, events, log, clock } = this.#parts;
    const { name, namespace = "default", uid } = pod.metadata;
    try {
      await client.create(bindings, {
        apiVersion: "v1",
        kind: "Binding",
        metadata: { name, namespace, ...(uid !== undefined && { uid }) },
        target: { apiVersion: "v1", kind: "Node", name: node },
      });
      events.record(pod, "Normal", "Scheduled", `Successfully assigned ${namespace}/${name} to ${node}`);
    } catch (error) {
      this.#assumed.delete(keyOf(pod));
      // Gone, or bound by somebody else: the informer tells.
      if (hasCode(error, "not_found", "conflict")) return;
      log("warn", "binding failed", { pod: `${namespace}/${name}`, node, error: messageOf(error) });
      await clock.sleep(retryMs);
      if (this.#stopped || this.#parts.pods.get(name, namespace)?.metadata.uid !== uid) return;
      this.#waiting.set(keyOf(pod), pod);
    }
  }

  /** When the victims are gone the pod, as the most important one that waits, takes their place. */
  #makeRoom(pod: Pod, { node, victims }: Preemption): void {
    const { client, events, log } = this.#parts;
    for (const victim of victims) {
      const { name, namespace = "default" } = victim.metadata;
      const key = keyOf(victim);
      if (victim.metadata.deletionTimestamp !== undefined || this.#victims.has(key)) continue;
      this.#victims.add(key);
      events.record(victim, "Normal", "Preempted", `Preempted by pod ${pod.metadata.uid} on node ${node}`);
      client.delete(podResource, name, { namespace }).catch((error: unknown) => {
        this.#victims.delete(key);
        log("debug", "victim stays", { pod: `${namespace}/${name}`, error: messageOf(error) });
      });
    }
  }

  #sayUnfit(pod: Pod, message: string, nominatedNodeName: string | undefined): void {
    const { client, events, clock, log } = this.#parts;
    const before = conditionOf(pod, "PodScheduled");
    const isNominated =
      nominatedNodeName === undefined || pod.status?.nominatedNodeName === nominatedNodeName;
    if (before?.message === message && isNominated) return;
    if (before?.message !== message) events.record(pod, "Warning", "FailedScheduling", message);
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason: "Unschedulable",
      message,
      lastProbeTime: null,
      lastTransitionTime:
        before?.status === "False"
          ? (before.lastTransitionTime ?? timestamp(clock.now()))
          : timestamp(clock.now()),
    };
    const others = (pod.status?.conditions ?? []).filter(({ type }) => type !== "PodScheduled");
    const { name, namespace = "default" } = pod.metadata;
    const nomination = nominatedNodeName === undefined ? {} : { nominatedNodeName };
    const patch = { status: { phase: "Pending", conditions: [...others, condition], ...nomination } };
    client
      .patch(podResource, name, patch, { namespace, kind: "merge", subresource: "status" })
      .catch((error: unknown) => {
        log("debug", "condition lost", { pod: `${namespace}/${name}`, error: messageOf(error) });
      });
  }
}

const keyOf = (pod: Pod): string => pod.metadata.uid ?? `${pod.metadata.namespace}/${pod.metadata.name}`;
const isBound = (pod: Pod): boolean => pod.spec.nodeName !== undefined && pod.spec.nodeName !== "";
const isFinished = (pod: Pod): boolean => pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";

function byImportance(a: Pod, b: Pod): number {
  const priority = (b.spec.priority ?? 0) - (a.spec.priority ?? 0);
  if (priority !== 0) return priority;
  return (a.metadata.creationTimestamp ?? "") < (b.metadata.creationTimestamp ?? "") ? -1 : 1;
}

/** Heartbeats change a node every few seconds; only these parts decide where pods go. */
function changesFit(node: Node, before: Node): boolean {
  const parts = (each: Node): string =>
    JSON.stringify([
      each.spec,
      each.metadata.labels,
      each.status?.allocatable,
      each.metadata.deletionTimestamp,
    ]);
  return parts(node) !== parts(before);
}
