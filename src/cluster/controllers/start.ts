import type { Random } from "../../base/random.ts";
import type { EventRecorder } from "../events.ts";
import { runScheduler } from "../scheduler/run.ts";
import { type HousekeepingParts, runHousekeeping } from "./housekeeping.ts";
import type { PlanContext } from "./plan.ts";
import { openStores } from "./stores.ts";
import { runWorkloads } from "./workloads.ts";

export interface ControllersOptions extends HousekeepingParts {
  /** Events of the scheduler. */
  readonly scheduling: EventRecorder;
  readonly random: Random;
}

/** Opens the informers and runs the controllers on them, and the scheduler. */
export function startControllers(options: ControllersOptions): {
  readonly ready: Promise<void>;
  stop(): Promise<void>;
} {
  const stopping = new AbortController();
  const { clock, log, client, random } = options;
  const stores = openStores(client, { signal: stopping.signal, clock, log });
  const context = (): PlanContext => ({ now: clock.now(), random });
  const running: { stop(): Promise<void> }[] = [];
  const ready = stores.synced.then(() => {
    if (stopping.signal.aborted) return;
    running.push(
      ...runWorkloads(options, stores, context),
      ...runHousekeeping(options, stores),
      runScheduler({ ...options, events: options.scheduling, pods: stores.pods, nodes: stores.nodes }),
    );
  });
  return {
    ready,
    stop: async () => {
      stopping.abort();
      await Promise.all(running.map((each) => each.stop()));
    },
  };
}
