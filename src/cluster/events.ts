import type { Clock } from "../base/clock.ts";
import { hasCode, messageOf } from "../base/error.ts";
import type { Log } from "../base/log.ts";
import type { KubeClient } from "../kube/client.ts";
import type { KubeObject } from "../kube/objects.ts";
import { type Event, events } from "../kube/resources.ts";
import { timestamp } from "./time.ts";

/** Says things about objects, as `kubectl describe` and `kubectl get events` show them. */
export interface EventRecorder {
  /** Never fails and never waits; the same words about the same object become one event with a count. */
  record(
    about: KubeObject,
    type: "Normal" | "Warning",
    reason: string,
    message: string,
    /** Who says it, when that is another than the recorder's own component. */
    component?: string,
  ): void;
  /** Resolves when everything that was recorded has been sent or given up. */
  flush(): Promise<void>;
}

/** How many different events are remembered for counting. */
const rememberedEvents = 4096;
/** How many requests go out at once. */
const atOnce = 4;
/** Good news waits this long, so that the work that it tells of goes first (ms). */
const normalDelayMs = 500;

interface Pending {
  readonly about: KubeObject;
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  readonly component: string;
  readonly at: number;
}

interface Known {
  readonly name: string;
  readonly namespace: string;
  count: number;
}

/** Events of one component ("kubelet", "default-scheduler"); those of a node name their host. */
export function createEventRecorder(
  client: KubeClient,
  options: {
    readonly component: string;
    readonly host?: string;
    readonly clock: Clock;
    readonly log: Log;
  },
): EventRecorder {
  const queue: Pending[] = [];
  const known = new Map<string, Known>();
  const busy = new Set<string>();
  const running = new Set<Promise<void>>();
  let serial = 0;

  const send = async (
    key: string,
    { about, type, reason, message, component, at }: Pending,
  ): Promise<void> => {
    const time = timestamp(at);
    const before = known.get(key);
    if (before !== undefined) {
      before.count++;
      const patch = { count: before.count, lastTimestamp: time };
      try {
        await client.patch(events, before.name, patch, { namespace: before.namespace });
        return;
      } catch (error) {
        if (!hasCode(error, "not_found")) throw error;
        known.delete(key);
      }
    }
    const namespace = about.metadata.namespace ?? "default";
    const { uid, resourceVersion } = about.metadata;
    const event: Event = {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: `${about.metadata.name}.${(at * 4096 + (serial++ % 4096)).toString(16)}`, namespace },
      involvedObject: {
        apiVersion: about.apiVersion,
        kind: about.kind,
        name: about.metadata.name,
        ...(about.metadata.namespace !== undefined && { namespace }),
        ...(uid !== undefined && { uid }),
        ...(resourceVersion !== undefined && { resourceVersion }),
      },
      reason,
      message,
      type,
      count: 1,
      firstTimestamp: time,
      lastTimestamp: time,
      source: { component, ...(options.host !== undefined && { host: options.host }) },
      reportingComponent: component,
      reportingInstance: options.host ?? "",
    };
    await client.create(events, event);
    known.set(key, { name: event.metadata.name, namespace, count: 1 });
    if (known.size > rememberedEvents) known.delete(known.keys().next().value ?? "");
  };

  const pump = (): void => {
    for (let index = 0; index < queue.length && running.size < atOnce; ) {
      const pending = queue[index];
      if (pending === undefined) return;
      const key = keyOf(pending);
      // The second of two equal events must find the first one's name.
      if (busy.has(key)) {
        index++;
        continue;
      }
      queue.splice(index, 1);
      busy.add(key);
      const work = send(key, pending)
        .catch((error: unknown) => {
          options.log("debug", "event lost", { reason: pending.reason, error: messageOf(error) });
        })
        .finally(() => {
          busy.delete(key);
          running.delete(work);
          pump();
        });
      running.add(work);
    }
  };

  const delayed: Pending[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const release = (): void => {
    clearTimeout(timer);
    timer = undefined;
    queue.push(...delayed.splice(0));
    pump();
  };
  return {
    record: (about, type, reason, message, component = options.component) => {
      delayed.push({ about, type, reason, message, component, at: options.clock.now() });
      if (type === "Warning") release();
      else timer ??= setTimeout(release, normalDelayMs);
    },
    flush: async () => {
      release();
      while (running.size > 0) await Promise.allSettled(running);
    },
  };
}

const keyOf = ({ about, type, reason, message }: Pending): string =>
  [
    about.kind,
    about.metadata.uid ?? `${about.metadata.namespace}/${about.metadata.name}`,
    type,
    reason,
    message,
  ].join("\n");
