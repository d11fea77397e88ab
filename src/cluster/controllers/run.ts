import type { Clock } from "../../base/clock.ts";
import { EniverseError, hasCode, messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { KubeObject } from "../../kube/objects.ts";
import { pods as podResource } from "../../kube/resources.ts";
import type { EventRecorder } from "../events.ts";
import type { Plan, Write } from "./plan.ts";
import { WorkQueue } from "./work-queue.ts";

/** How many writes of one plan are under way at once. */
const writesAtOnce = 16;
/** A write whose effect was not seen for so long is looked at again (ms). */
const sightMs = 5_000;

/** What every controller runs with. */
export interface ControllerParts {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly log: Log;
  readonly events: EventRecorder;
}

/** A planner with its queue. */
export interface Controller {
  /** The object of this key may need work. */
  touch(key: string): void;
  stop(): Promise<void>;
}

/**
 * Runs `plan` for every key that is touched and carries its writes out. A plan is made only when the informers have
 * shown the pods that the last plan of the same key made and deleted: a plan from an older picture would make them
 * again.
 */
export function runController(
  parts: ControllerParts,
  options: {
    /** "deployment": its events come from "deployment-controller". */
    readonly name: string;
    readonly plan: (key: string) => Plan | Promise<Plan>;
    /** The pod as the informers show it now. */
    readonly seenPod: (name: string, namespace: string) => KubeObject | undefined;
    readonly workers?: number;
  },
): Controller {
  const sights = new Map<string, Sight>();
  const queue = new WorkQueue({
    clock: parts.clock,
    workers: options.workers ?? 4,
    onError: (key, error) => {
      // Conflicts are everyday life: the informer will show the newer object.
      const level = hasCode(error, "conflict", "not_found") ? "debug" : "warn";
      parts.log(level, "controller failed", { controller: options.name, key, error: messageOf(error) });
    },
    work: async (key) => {
      const sight = sights.get(key);
      if (sight !== undefined && !sight.isDone(options.seenPod) && parts.clock.now() < sight.until) {
        queue.addAt(key, sight.until);
        return;
      }
      sights.delete(key);
      const plan = await options.plan(key);
      if (plan.wakeAt !== undefined) queue.addAt(key, plan.wakeAt);
      if (plan.writes.length === 0) return;
      const next = new Sight(parts.clock.now() + sightMs);
      sights.set(key, next);
      await carryOut(parts, plan.writes, next, `${options.name}-controller`);
    },
  });
  return { touch: (key) => queue.add(key), stop: () => queue.stop() };
}

/** The pods that a plan made and deleted, until the informers show it. */
class Sight {
  readonly until: number;
  readonly #created = new Map<string, KubeObject>();
  readonly #deleted = new Map<string, KubeObject>();

  constructor(until: number) {
    this.until = until;
  }

  created(pod: KubeObject): void {
    this.#created.set(`${pod.metadata.namespace}/${pod.metadata.name}`, pod);
  }

  deleted(name: string, namespace: string): void {
    this.#deleted.set(`${namespace}/${name}`, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, namespace },
    });
  }

  isDone(seen: (name: string, namespace: string) => KubeObject | undefined): boolean {
    for (const [key, { metadata }] of this.#created) {
      if (seen(metadata.name, metadata.namespace ?? "") !== undefined) this.#created.delete(key);
    }
    for (const [key, { metadata }] of this.#deleted) {
      const pod = seen(metadata.name, metadata.namespace ?? "");
      if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) this.#deleted.delete(key);
    }
    return this.#created.size + this.#deleted.size === 0;
  }
}

async function carryOut(
  parts: ControllerParts,
  writes: readonly Write[],
  sight: Sight,
  component: string,
): Promise<void> {
  const requests = writes.filter((write) => write.kind !== "event");
  const failures: unknown[] = [];
  // Patches of one object stand in order; creations and deletions of different objects need not.
  for (let start = 0; start < requests.length; ) {
    const batch = takeBatch(requests, start);
    start += batch.length;
    const results = await Promise.allSettled(batch.map((write) => perform(parts.client, write, sight)));
    failures.push(...results.filter((result) => result.status === "rejected").map(({ reason }) => reason));
    if (failures.length > 0) break;
  }
  if (failures.length > 0) {
    const [first] = failures;
    const about = writes.find((write) => write.kind === "event")?.about;
    const failed = requests.find((write) => write.kind === "create");
    if (about !== undefined && failed !== undefined && !hasCode(first, "conflict", "not_found")) {
      parts.events.record(about, "Warning", "FailedCreate", `Error creating: ${messageOf(first)}`, component);
    }
    throw first;
  }
  for (const write of writes) {
    if (write.kind === "event")
      parts.events.record(write.about, write.type, write.reason, write.message, component);
  }
}

function takeBatch(requests: readonly Write[], start: number): readonly Write[] {
  const first = requests[start];
  if (first?.kind === "patch") return [first];
  let end = start;
  while (end < requests.length && end - start < writesAtOnce && requests[end]?.kind === first?.kind) end++;
  return requests.slice(start, end);
}

/** Carries one write out; deleting what is gone is success. */
async function perform(client: KubeClient, write: Write, sight: Sight): Promise<void> {
  const isPod = write.kind !== "event" && write.resource.plural === podResource.plural;
  switch (write.kind) {
    case "create": {
      const created = await client.create(write.resource, write.object);
      if (isPod) sight.created(created);
      return;
    }
    case "patch":
      await client.patch(write.resource, write.name, write.patch, {
        kind: "merge",
        ...(write.namespace !== undefined && { namespace: write.namespace }),
        ...(write.subresource !== undefined && { subresource: write.subresource }),
      });
      return;
    case "delete":
      try {
        await client.delete(write.resource, write.name, {
          ...(write.namespace !== undefined && { namespace: write.namespace }),
          ...(write.gracePeriodSeconds !== undefined && { gracePeriodSeconds: write.gracePeriodSeconds }),
        });
      } catch (error) {
        if (!hasCode(error, "not_found")) throw error;
      }
      if (isPod) sight.deleted(write.name, write.namespace ?? "");
      return;
    case "event":
      throw new EniverseError("internal", { attempted: "send an event as a request" });
  }
}
