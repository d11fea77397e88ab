import { EniverseError, messageOf } from "../base/error.ts";
import type { Log } from "../base/log.ts";
import type { CloudHooks } from "./cloud.ts";
import { failLaunch, finishLaunch, type Instance } from "./model/instance.ts";
import type { CloudState, Context, ResourceChange } from "./model/state.ts";

/** Changes the model, stores and applies it. */
type Mutate = <T>(run: (ctx: Context) => T) => Promise<T>;

/** Makes and ends the machines of instances as the model's states ask for. */
export class LaunchPad {
  readonly #state: CloudState;
  readonly #log: Log;
  readonly #mutate: Mutate;
  #hooks: CloudHooks = {};
  readonly #launches = new Map<string, Promise<void>>();
  readonly #ends = new Map<string, Promise<void>>();

  constructor(state: CloudState, log: Log, mutate: Mutate) {
    this.#state = state;
    this.#log = log;
    this.#mutate = mutate;
  }

  connect(hooks: CloudHooks): void {
    this.#hooks = hooks;
  }

  /** Takes up what a stopped process left under way. */
  takeUp(): void {
    for (const instance of this.#state.instances.values()) this.#consider(instance);
  }

  look(changes: readonly ResourceChange[]): void {
    for (const { kind, id } of changes) {
      const instance = kind === "instance" ? this.#state.instances.get(id) : undefined;
      if (instance !== undefined) this.#consider(instance);
    }
  }

  /** Resolves when the launch is over; throws `unavailable` when no machine came of it. */
  async launched(instanceId: string): Promise<void> {
    await this.#launches.get(instanceId);
    const instance = this.#state.instances.get(instanceId);
    if (instance?.state === "running") return;
    throw new EniverseError("unavailable", {
      attempted: `launch ${instanceId}`,
      found: instance?.stateReason?.message ?? `it is ${instance?.state ?? "gone"}`,
    });
  }

  /** Resolves when the machine has ended. */
  async ended(instanceId: string): Promise<void> {
    await this.#ends.get(instanceId);
  }

  #consider(instance: Instance): void {
    const { instanceId, state } = instance;
    if (state === "pending" && !this.#launches.has(instanceId)) {
      this.#track(this.#launches, instanceId, this.#launch(instance));
    }
    const ending = state === "shutting-down" || state === "stopping";
    if (ending && !this.#ends.has(instanceId)) this.#track(this.#ends, instanceId, this.#end(instanceId));
  }

  #track(map: Map<string, Promise<void>>, instanceId: string, work: Promise<void>): void {
    const tracked = work
      .catch((error: unknown) => {
        this.#log("error", "a change of an instance failed", { instanceId, error: messageOf(error) });
      })
      .finally(() => map.delete(instanceId));
    map.set(instanceId, tracked);
  }

  async #launch(instance: Instance): Promise<void> {
    const { instanceId } = instance;
    // A machine that is still being ended comes to its end before it is made anew.
    await this.#ends.get(instanceId);
    try {
      await this.#hooks.createMachine?.(instance);
    } catch (error) {
      const message = messageOf(error);
      this.#log("error", "a machine could not be made", { instanceId, error: message });
      if (instance.state === "pending") await this.#mutate((ctx) => failLaunch(ctx, instanceId, message));
      return;
    }
    if (instance.state !== "pending") return;
    await this.#mutate((ctx) => finishLaunch(ctx, instanceId));
    try {
      this.#hooks.bootMachine?.(instance);
    } catch (error) {
      this.#log("error", "a machine could not be booted", { instanceId, error: messageOf(error) });
    }
  }

  async #end(instanceId: string): Promise<void> {
    await this.#launches.get(instanceId);
    try {
      await this.#hooks.endMachine?.(instanceId);
    } catch (error) {
      this.#log("error", "a machine could not be ended", { instanceId, error: messageOf(error) });
    }
  }
}
