import { formatIpv4, ipv4 } from "../addr/ipv4.ts";
import { EniverseError } from "../base/error.ts";
import { seededRandom } from "../base/random.ts";
import { decide } from "../ipam/decide.ts";
import { NodeLedger } from "../ipam/node.ts";
import { createPool } from "../ipam/pool.ts";
import { effectiveSettings, type Settings, type SettingsInput } from "../ipam/settings.ts";
import type { Action, InFlight, Outcome, PodKey, Pool } from "../ipam/types.ts";
import type { InstanceLimits } from "../limits/instance-types.ts";

/** How long EC2 takes, in milliseconds, from the call until the pool has what it asked for. */
export interface Ec2Latencies {
  /** Addresses or prefixes on an ENI that is there. */
  readonly assignMs: number;
  /** Create, attach, and the device's appearance on the node. */
  readonly createEniMs: number;
  readonly unassignMs: number;
  readonly freeEniMs: number;
}

/** Prefixes take less than a second, an ENI up to ten (EKS best practices, prefix mode). */
export const usualLatencies: Ec2Latencies = {
  assignMs: 600,
  createEniMs: 8_000,
  unassignMs: 500,
  freeEniMs: 4_000,
};

export const noLatency: Ec2Latencies = { assignMs: 0, createEniMs: 0, unassignMs: 0, freeEniMs: 0 };

/** The EC2 calls that ipamd makes for an action, as `node/ipamd` carries it out. */
export function ec2CallsOf(action: Action): readonly string[] {
  switch (action.kind) {
    case "assign":
      return [action.what === "ipv6-prefixes" ? "AssignIpv6Addresses" : "AssignPrivateIpAddresses"];
    case "create-eni":
      return [
        "DescribeSubnets",
        "CreateNetworkInterface",
        "DescribeInstances",
        "AttachNetworkInterface",
        "ModifyNetworkInterfaceAttribute",
      ];
    case "unassign":
      // One call for each kind of block.
      return [action.addresses, action.prefixes].flatMap((blocks) =>
        blocks.length > 0 ? ["UnassignPrivateIpAddresses"] : [],
      );
    case "free-eni":
      return ["DetachNetworkInterface", "DeleteNetworkInterface"];
    case "request-trunk":
      return [];
  }
}

/** What a node holds at one moment. */
export interface Holding {
  /** Addresses for pods, cooling ones and those in prefixes included. */
  readonly held: number;
  readonly assigned: number;
  readonly waiting: number;
  /** ENIs, the primary and the trunk included. */
  readonly enis: number;
}

export interface NodeDriverOptions {
  readonly limits: InstanceLimits;
  readonly settings: SettingsInput;
  readonly maxPods?: number;
  /** The primary ENI's subnet is kept from pods by its tag. */
  readonly excludesPrimary?: boolean;
  readonly latencies?: Ec2Latencies;
  /** Called before time moves, with what held for the span that ends at `until`. */
  readonly onSpan?: (from: number, until: number, holding: Holding) => void;
  /** A pod has its address, `waitedMs` after it asked. */
  readonly onServed?: (waitedMs: number) => void;
}

interface Due {
  readonly at: number;
  readonly inFlight: InFlight;
}

interface Waiting {
  readonly pod: number;
  readonly key: PodKey;
  readonly since: number;
  readonly lifeMs: number | undefined;
}

/** More rounds than any node needs to come to rest; beyond it something goes round in circles. */
const mostRounds = 10_000;

/**
 * One node on a clock of its own: `ipam/` decides, and every action is done after its latency by an EC2 whose
 * subnets never end. Pods that ask for an address wait in line until there is one.
 */
export class NodeDriver {
  readonly settings: Settings;
  readonly warnings: readonly string[];
  /** EC2 calls so far, by name. */
  readonly calls = new Map<string, number>();
  now = 0;
  readonly #ledger: NodeLedger;
  readonly #pool: Pool;
  readonly #options: NodeDriverOptions;
  readonly #latencies: Ec2Latencies;
  #due: Due[] = [];
  #queue: Waiting[] = [];
  /** Pods that go by themselves, by the time at which they do. */
  #ends: { readonly at: number; readonly pod: number }[] = [];
  #wakeAt: number | undefined;
  #nextAddress = 0x0a00_0000;
  #nextEni = 1;

  constructor(options: NodeDriverOptions) {
    const { limits } = options;
    const effective = effectiveSettings(options.settings, limits);
    this.settings = effective.settings;
    this.warnings = effective.warnings;
    this.#options = options;
    this.#latencies = options.latencies ?? noLatency;
    const { mode, cooldownMs } = this.settings;
    const pool = createPool({ card: 0, mode, cooldownMs });
    // Nothing ever fails here, so that no pause is drawn from it.
    this.#ledger = new NodeLedger([{ pool, unmanagedEnis: 0 }], seededRandom(1));
    this.#ledger.maxPods = options.maxPods;
    this.#pool = this.#ledger.pool(0);
    this.#addEni("eni-0", 0, { primary: true, trunk: false });
    this.#work();
  }

  get pool(): Pool {
    return this.#pool;
  }

  get holding(): Holding {
    const stats = this.#pool.stats(this.now);
    return {
      held: stats.total,
      assigned: stats.assigned,
      waiting: this.#queue.length,
      enis: this.#pool.enis().length,
    };
  }

  /** A pod asks for an address; with a life it goes by itself so long after it has got one. */
  arrive(pod: number, lifeMs?: number): void {
    this.#queue.push({ pod, key: keyOf(pod), since: this.now, lifeMs });
    this.#work();
  }

  /** A pod goes; its address cools down. One that still waits just stops waiting. */
  leave(pod: number): void {
    if (this.#pool.unassign(keyOf(pod), this.now) === undefined) {
      this.#queue = this.#queue.filter((each) => each.pod !== pod);
    }
    this.#work();
  }

  /** Moves the clock to `time`, with everything that happens on the way. */
  advanceTo(time: number): void {
    for (let round = 0; ; round++) {
      const next = this.#nextEvent();
      if (next === undefined || next > time) break;
      if (round > mostRounds * 10) throw this.#restless();
      this.#moveTo(next);
      this.#work();
    }
    this.#moveTo(time);
  }

  /** Moves the clock on until nothing is under way and nothing is waited for. */
  settle(): void {
    for (let round = 0; round < mostRounds; round++) {
      const next = this.#nextEvent();
      if (next === undefined) return;
      this.#moveTo(next);
      this.#work();
    }
    throw this.#restless();
  }

  #nextEvent(): number | undefined {
    const times = [...this.#due, ...this.#ends].map(({ at }) => at);
    if (this.#wakeAt !== undefined) times.push(Math.max(this.#wakeAt, this.now + 1));
    const cooled = this.#queue.length > 0 ? this.#pool.nextReadyAt(this.now) : undefined;
    if (cooled !== undefined) times.push(Math.max(cooled, this.now + 1));
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #moveTo(time: number): void {
    if (time > this.now) this.#options.onSpan?.(this.now, time, this.holding);
    this.now = Math.max(time, this.now);
  }

  /** Closes what is done, serves who waits, and begins what is decided, until nothing more happens now. */
  #work(): void {
    for (let round = 0; round < mostRounds; round++) {
      const done = this.#due.filter(({ at }) => at <= this.now);
      this.#due = this.#due.filter(({ at }) => at > this.now);
      for (const { inFlight } of done) this.#finish(inFlight);
      for (const { pod } of this.#ends.filter(({ at }) => at <= this.now)) {
        this.#pool.unassign(keyOf(pod), this.now);
      }
      this.#ends = this.#ends.filter(({ at }) => at > this.now);
      this.#serve();
      const decision = decide(this.#ledger, this.settings, this.now);
      this.#wakeAt = decision.wakeAt;
      let begun = 0;
      for (const planned of decision.actions) {
        const inFlight = this.#ledger.begin(planned, this.now);
        if (inFlight === undefined) continue;
        begun++;
        this.#due.push({ at: this.now + this.#delayOf(inFlight.action), inFlight });
      }
      if (begun === 0 && !this.#due.some(({ at }) => at <= this.now)) return;
    }
    throw this.#restless();
  }

  #serve(): void {
    while (this.#queue.length > 0) {
      const first = this.#queue[0];
      if (first === undefined || !this.#pool.assign(first.key, undefined, this.now).ok) break;
      this.#queue.shift();
      if (first.lifeMs !== undefined) this.#ends.push({ at: this.now + first.lifeMs, pod: first.pod });
      this.#options.onServed?.(this.now - first.since);
    }
    this.#ledger.waiting = { anyCard: this.#queue.length, everyCard: 0 };
  }

  #delayOf(action: Action): number {
    switch (action.kind) {
      case "assign":
        return this.#latencies.assignMs;
      case "create-eni":
      case "request-trunk":
        return this.#latencies.createEniMs;
      case "unassign":
        return this.#latencies.unassignMs;
      case "free-eni":
        return this.#latencies.freeEniMs;
    }
  }

  #finish({ id, action }: InFlight): void {
    for (const call of ec2CallsOf(action)) this.calls.set(call, (this.calls.get(call) ?? 0) + 1);
    this.#ledger.finish(id, this.#outcomeOf(action), this.now);
    if (action.kind === "request-trunk") {
      const number = this.#nextEni++;
      this.#addEni(`eni-${number}`, number, { primary: false, trunk: true });
    }
  }

  #outcomeOf(action: Action): Outcome {
    if (action.kind === "assign") return { kind: "assigned", ...this.#give(action.what, action.count) };
    if (action.kind !== "create-eni") return { kind: "done" };
    const number = this.#nextEni++;
    return {
      kind: "created",
      eni: this.#facts(`eni-${number}`, number, { primary: false, trunk: false }),
      ...this.#give(action.what, action.count),
    };
  }

  #addEni(id: string, deviceNumber: number, kind: { primary: boolean; trunk: boolean }): void {
    this.#pool.addEni(this.#facts(id, deviceNumber, kind), this.now);
  }

  #facts(id: string, deviceNumber: number, kind: { primary: boolean; trunk: boolean }) {
    return {
      id,
      deviceNumber,
      routeTable: deviceNumber === 0 ? 254 : deviceNumber + 1,
      subnetId: "subnet",
      primaryAddress: this.#address(),
      efa: false,
      excluded: kind.primary && (this.#options.excludesPrimary ?? false),
      ...kind,
    };
  }

  #address(): string {
    return formatIpv4(ipv4(this.#nextAddress++));
  }

  #give(what: string, count: number): { addresses: string[]; prefixes: string[] } {
    const addresses: string[] = [];
    const prefixes: string[] = [];
    for (let given = 0; given < count; given++) {
      if (what === "addresses") addresses.push(this.#address());
      else if (what === "ipv4-prefixes") {
        this.#nextAddress = Math.ceil(this.#nextAddress / 16) * 16;
        prefixes.push(`${this.#address()}/28`);
        this.#nextAddress += 15;
      } else if (what === "ipv6-prefixes") {
        prefixes.push(`2001:db8:0:1:${(this.#nextAddress++ & 0xffff).toString(16)}::/80`);
      }
    }
    return { addresses, prefixes };
  }

  #restless(): EniverseError {
    return new EniverseError("internal", {
      attempted: `bring a node of ${this.#options.limits.instanceType} to rest`,
      found: `it is never at rest with ${JSON.stringify(this.#options.settings)}`,
    });
  }
}

function keyOf(pod: number): PodKey {
  return { networkName: "aws-cni", containerId: `sandbox-${pod}`, ifName: "eth0" };
}
