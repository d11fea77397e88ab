import type { Random } from "../base/random.ts";
import { type CloudConfig, type CloudSettings, defaultConfig, defaultSettings } from "../cloud/config.ts";
import { admit } from "../cloud/ec2/admission.ts";
import { FaultBoard } from "../cloud/ec2/fault-board.ts";
import { Throttle } from "../cloud/ec2/throttle.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { progress } from "../cloud/model/progress.ts";
import { type Account, CloudState, type Context } from "../cloud/model/state.ts";
import type { EventQueue } from "./events.ts";
import type { Process } from "./process.ts";
import type { Ec2Scenario } from "./scenario.ts";

/** The AWS SDK of one node; its quota ends retries when too many calls fail. */
export interface SdkClient {
  retryTokens: number;
}

/** What EC2 saw of one action. */
export interface ActionCount {
  /** Requests that reached EC2, repeated ones too. */
  requests: number;
  throttled: number;
  /** Calls given up by the client, throttled or refused. */
  failed: number;
}

/** The SDK's standard retry mode, as ipamd uses it: three attempts, full jitter, a quota of 500 tokens. */
const attempts = 3;
const longestPauseMs = 20_000;
const throttledPauseMs = 500;
const transientPauseMs = 100;
export const fullRetryQuota = 500;
const retryCost = 5;

export interface SimEc2Options {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly scenario: Ec2Scenario;
  readonly zones: readonly string[];
}

/** EC2 on the virtual clock: the local cloud's model behind its token buckets and faults. */
export class SimEc2 {
  readonly state = new CloudState();
  readonly faults = new FaultBoard();
  readonly counts = new Map<string, ActionCount>();
  readonly #throttle = new Throttle();
  readonly #queue: EventQueue;
  readonly #random: Random;
  readonly #account: Account;
  readonly #settings: CloudSettings;

  constructor({ queue, random, scenario, zones }: SimEc2Options) {
    const config: CloudConfig = defaultConfig();
    this.#queue = queue;
    this.#random = random;
    this.#account = {
      accountId: config.accountId,
      serviceAccountId: config.serviceAccountId,
      region: config.region,
      zones: zones.map((name, index) => ({ name, id: `az${index + 1}` })),
      publicCidr: config.publicCidr,
      ipv6Pool: config.ipv6Pool,
    };
    this.#settings = settingsOf(scenario);
  }

  get settings(): CloudSettings {
    return this.#settings;
  }

  /** Reads or changes the model as of now, past buckets and latencies. Throws `Ec2Fault`. */
  model<T>(run: (ctx: Context) => T): T {
    const ctx: Context = {
      state: this.state,
      now: this.#queue.now,
      random: this.#random,
      account: this.#account,
      settings: this.#settings,
    };
    progress(ctx);
    try {
      return run(ctx);
    } finally {
      // Nobody listens here, and what is not taken would pile up.
      this.state.takeChanges();
    }
  }

  /** One call of a node's SDK, with its retries. Throws the `Ec2Fault` of the last attempt. */
  *call<T>(client: SdkClient, action: string, run: (ctx: Context) => T): Process<T> {
    const count = this.#countOf(action);
    for (let tried = 1; ; tried++) {
      count.requests++;
      const admission = admit(
        {
          accountId: this.#account.accountId,
          settings: this.#settings,
          throttle: this.#throttle,
          faults: this.faults,
          random: this.#random,
        },
        { service: "ec2", action, narrowed: true },
        this.#queue.now,
      );
      if (admission.throttled) count.throttled++;
      try {
        if (admission.waitMs > 0) yield admission.waitMs;
        if (admission.error !== undefined) throw admission.error;
        const answer = this.model(run);
        client.retryTokens = Math.min(client.retryTokens + (tried > 1 ? retryCost : 1), fullRetryQuota);
        return answer;
      } catch (thrown) {
        const mayPass = thrown instanceof Ec2Fault && isTransient(thrown);
        if (!mayPass || tried >= attempts || client.retryTokens < retryCost) {
          count.failed++;
          throw thrown;
        }
        client.retryTokens -= retryCost;
        const base = thrown.code === "RequestLimitExceeded" ? throttledPauseMs : transientPauseMs;
        yield Math.floor(Math.min(longestPauseMs, this.#random.next() * 2 ** (tried - 1) * base));
      }
    }
  }

  #countOf(action: string): ActionCount {
    let count = this.counts.get(action);
    if (count === undefined) {
      count = { requests: 0, throttled: 0, failed: 0 };
      this.counts.set(action, count);
    }
    return count;
  }
}

function isTransient(fault: Ec2Fault): boolean {
  return fault.code === "RequestLimitExceeded" || fault.httpStatus >= 500;
}

function settingsOf(scenario: Ec2Scenario): CloudSettings {
  const { attach = 0, detach = 0, ...actionDelayMs } = scenario.latencies;
  return {
    ...defaultSettings,
    addressChoice: scenario.addressChoice,
    actionDelayMs,
    // Terminated instances are of no use here, and keeping them would cost memory.
    transitionsMs: { ...defaultSettings.transitionsMs, attach, detach, forgetTerminated: 0 },
    imds: { ...defaultSettings.imds, lagMs: scenario.imdsLag },
    throttling: {
      enabled: scenario.throttling || Object.keys(scenario.buckets).length > 0,
      buckets: Object.fromEntries(
        Object.entries(scenario.buckets).map(([action, { size, refillPerSecond }]) => [
          action,
          { size, refill: refillPerSecond },
        ]),
      ),
    },
    limits: { ...defaultSettings.limits, ...scenario.limits },
  };
}
