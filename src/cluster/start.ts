import { type Clock, realClock } from "../base/clock.ts";
import { hasCode } from "../base/error.ts";
import { type Log, noLog } from "../base/log.ts";
import { type Random, seededRandom } from "../base/random.ts";
import type { KubeClient } from "../kube/client.ts";
import type { InstanceExists } from "./controllers/housekeeping.ts";
import { startControllers } from "./controllers/start.ts";
import { createEventRecorder } from "./events.ts";

/**
 * The local Kubernetes: `apiserver/` keeps the objects, `controllers/` and `scheduler/` (both started here) work on
 * them in the lab process, `kubelet/` runs pods in each node, `images/` are the programs that containers can be,
 * `manifests/` the objects of a new cluster.
 */
export interface ClusterOptions {
  /** A client of the API server; the in-process one is the fastest. */
  readonly client: KubeClient;
  readonly clock?: Clock;
  readonly log?: Log;
  readonly random?: Random;
  /** A node that was not heard of for longer is unreachable (ms); 40 s as in Kubernetes. */
  readonly nodeGraceMs?: number;
  /** With it a Node goes when it is not ready and its instance ("aws:///ZONE/i-…") is gone. */
  readonly instanceExists?: InstanceExists;
}

export interface Cluster {
  /** Resolves when the controllers and the scheduler have seen all objects. */
  readonly ready: Promise<void>;
  stop(): Promise<void>;
}

/** Starts the controllers and the scheduler. */
export function startCluster(options: ClusterOptions): Cluster {
  const clock = options.clock ?? realClock;
  const log = options.log ?? noLog;
  const client = options.client;
  const events = createEventRecorder(client, { component: "controller-manager", clock, log });
  const scheduling = createEventRecorder(client, { component: "default-scheduler", clock, log });
  const running = startControllers({
    client,
    clock,
    log,
    events,
    scheduling,
    random: options.random ?? seededRandom(clock.now()),
    nodeGraceMs: options.nodeGraceMs ?? 40_000,
    ...(options.instanceExists !== undefined && { instanceExists: options.instanceExists }),
  });
  running.ready.catch((error: unknown) => {
    if (!hasCode(error, "unavailable")) log("debug", "cluster stopped before it was ready");
  });
  return {
    ready: running.ready,
    stop: async () => {
      await running.stop();
      await Promise.all([events.flush(), scheduling.flush()]);
    },
  };
}
