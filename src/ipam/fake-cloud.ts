import { formatIpv4, ipv4 } from "../addr/ipv4.ts";
import { EniverseError } from "../base/error.ts";
import { seededRandom } from "../base/random.ts";
import { decide } from "./decide.ts";
import { NodeLedger } from "./node.ts";
import { createPool } from "./pool.ts";
import { effectiveSettings, type InstanceFacts, type Settings, type SettingsInput } from "./settings.ts";
import type { Action, CreateEniAction, Decision, InFlight, Outcome, PodKey, Pool } from "./types.ts";

/** The key of pod number `n`. */
export function podKey(n: number): PodKey {
  return { networkName: "aws-cni", containerId: `sandbox-${n}`, ifName: "eth0" };
}

export interface FakeCloudOptions {
  readonly instance: Pick<InstanceFacts, "enis" | "ipv4PerEni"> & Partial<InstanceFacts>;
  readonly settings?: SettingsInput;
  readonly maxPods?: number;
  readonly cards?: number;
  /** The primary ENI is made without secondary addresses; false: no ENI at all. */
  readonly primary?: boolean;
}

/**
 * One node in a cloud that does at once whatever is asked, with addresses counted up and never reused. For tests
 * of this room only: it carries out decisions until nothing is left to do, on a clock of its own.
 */
export class FakeCloud {
  readonly settings: Settings;
  readonly ledger: NodeLedger;
  now = 1_000_000;
  /** Every action that was carried out. */
  readonly calls: Action[] = [];
  /** Subnets that have no room. */
  readonly fullSubnets = new Set<string>();
  /** Addresses (prefixes in prefix mode) that are left in a subnet; unlimited when absent. */
  readonly roomLeft = new Map<string, number>();
  #nextAddress = 0x0a00_0100;
  #nextEni = 1;
  #pods = 0;

  constructor(options: FakeCloudOptions) {
    const instance: InstanceFacts = {
      hypervisor: "nitro",
      bareMetal: false,
      trunkCapable: true,
      ...options.instance,
    };
    this.settings = effectiveSettings(options.settings ?? {}, instance).settings;
    const { mode, cooldownMs } = this.settings;
    this.ledger = new NodeLedger(
      Array.from({ length: options.cards ?? 1 }, (_, card) => ({
        pool: createPool({ card, mode, cooldownMs }),
        unmanagedEnis: 0,
      })),
      seededRandom(1),
    );
    this.ledger.maxPods = options.maxPods;
    if (options.primary !== false) {
      this.pool.addEni(
        {
          id: "eni-0",
          deviceNumber: 0,
          routeTable: 254,
          subnetId: "subnet-a",
          primaryAddress: "10.0.0.10",
          primary: true,
          trunk: false,
          efa: false,
          excluded: this.settings.customNetworking,
        },
        this.now,
      );
    }
  }

  get pool(): Pool {
    return this.ledger.pool(0);
  }

  decide(): Decision {
    return decide(this.ledger, this.settings, this.now);
  }

  /** Begins everything that is decided, as often as something is. */
  begin(): InFlight[] {
    const begun: InFlight[] = [];
    for (let round = 0; ; round++) {
      const { actions } = this.decide();
      if (actions.length === 0) return begun;
      if (round > 100)
        throw new EniverseError("internal", { attempted: "begin all", found: "no end of actions" });
      for (const planned of actions) {
        const inFlight = this.ledger.begin(planned, this.now);
        if (inFlight !== undefined) begun.push(inFlight);
      }
    }
  }

  finish(inFlight: InFlight): void {
    this.calls.push(inFlight.action);
    this.ledger.finish(inFlight.id, this.#outcome(inFlight.action), this.now);
  }

  /**
   * Decides and carries out, and moves time on to where something may change, until there is nothing to do and
   * nothing to wait for. Throws when that never comes.
   */
  settle(): void {
    for (let round = 0; round < 200; round++) {
      this.#serveWaiting();
      const begun = this.begin();
      if (begun.length > 0) {
        for (const inFlight of begun) this.finish(inFlight);
        continue;
      }
      const { wakeAt } = this.decide();
      if (wakeAt === undefined) return;
      this.now = Math.max(wakeAt, this.now + 1);
    }
    throw new EniverseError("internal", {
      attempted: "bring the node to rest",
      found: `it is never at rest; the last decision was ${JSON.stringify(this.decide())}`,
    });
  }

  /** Lands pods until there are `count`, or takes the last ones away, and brings the node to rest. */
  scale(count: number): void {
    this.land(count);
    this.settle();
  }

  land(count: number): void {
    while (this.#pods > count) {
      this.#pods--;
      if (this.pool.unassign(podKey(this.#pods), this.now) === undefined) this.#wait(-1);
    }
    for (; this.#pods < count; this.#pods++) this.#wait(1);
    this.#serveWaiting();
  }

  /** Slots in use (addresses or prefixes) per ENI, in the pool's order. */
  slots(card = 0): number[] {
    return this.ledger
      .pool(card)
      .enis()
      .map(({ cidrCount }) => cidrCount);
  }

  #wait(change: number): void {
    const { anyCard, everyCard } = this.ledger.waiting;
    this.ledger.waiting = { anyCard: Math.max(anyCard + change, 0), everyCard };
  }

  #serveWaiting(): void {
    for (let pod = 0; pod < this.#pods && this.ledger.waiting.anyCard > 0; pod++) {
      const held = this.ledger.cards.some(({ pool }) => pool.lookup(podKey(pod)) !== undefined);
      if (held) continue;
      const given = this.ledger.cards.some(({ pool }) => pool.assign(podKey(pod), undefined, this.now).ok);
      if (given) this.#wait(-1);
    }
  }

  #outcome(action: Action): Outcome {
    if (action.kind === "assign" || action.kind === "create-eni") {
      const subnetId = action.kind === "assign" ? action.subnetId : this.#placeOf(action);
      const own = action.kind === "create-eni" && action.what === "addresses" ? 1 : 0;
      const left = this.fullSubnets.has(subnetId)
        ? 0
        : (this.roomLeft.get(subnetId) ?? Number.POSITIVE_INFINITY);
      if (action.count + own > left)
        return {
          kind: "failed",
          error: "InsufficientFreeAddressesInSubnet",
          insufficientSubnets: [subnetId],
        };
      if (this.roomLeft.has(subnetId)) this.roomLeft.set(subnetId, left - action.count - own);
    }
    if (action.kind === "assign") return { kind: "assigned", ...this.#give(action.what, action.count) };
    if (action.kind !== "create-eni") return { kind: "done" };
    const number = this.#nextEni++;
    return {
      kind: "created",
      eni: {
        id: `eni-${number}`,
        deviceNumber: number,
        routeTable: number + 1,
        subnetId: this.#placeOf(action),
        primaryAddress: formatIpv4(ipv4(this.#nextAddress++)),
        primary: false,
        trunk: false,
        efa: false,
        excluded: false,
      },
      ...this.#give(action.what, action.count),
    };
  }

  #placeOf({ avoidSubnets }: CreateEniAction): string {
    const places = this.ledger.newEniSubnets ?? ["subnet-a"];
    return places.find((place) => !avoidSubnets.includes(place)) ?? "subnet-a";
  }

  #give(what: string, count: number): { addresses: string[]; prefixes: string[] } {
    const addresses: string[] = [];
    const prefixes: string[] = [];
    for (let given = 0; given < count; given++) {
      if (what === "addresses") addresses.push(formatIpv4(ipv4(this.#nextAddress++)));
      else if (what === "ipv4-prefixes") {
        this.#nextAddress = (this.#nextAddress + 15) & ~15;
        prefixes.push(`${formatIpv4(ipv4(this.#nextAddress))}/28`);
        this.#nextAddress += 16;
      } else if (what === "ipv6-prefixes")
        prefixes.push(`2001:db8:0:1:${(this.#nextAddress++ & 0xffff).toString(16)}::/80`);
    }
    return { addresses, prefixes };
  }
}
