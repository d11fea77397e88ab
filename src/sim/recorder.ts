import { formatCidr } from "../addr/cidr.ts";
import type { Cluster } from "./cluster.ts";
import type { SimEc2 } from "./ec2.ts";
import type { EventQueue } from "./events.ts";
import type { Failure } from "./machine.ts";
import { type FailureReport, type Report, type SubnetUse, summarizeWaits } from "./report.ts";
import type { Scenario } from "./scenario.ts";

interface Counted extends Failure {
  readonly firstAtMs: number;
  count: number;
}

/** Takes the numbers of a run, and makes the report of them. */
export class Recorder {
  readonly #queue: EventQueue;
  readonly #startAt: number;
  readonly #waits: number[] = [];
  readonly #failures = new Map<string, Counted>();
  #refusals = 0;
  #enisPeak = 0;
  #requests = 0;
  #throttled = 0;
  #sampledAt: number;
  readonly #atMs: number[] = [];
  readonly #nodes: number[] = [];
  readonly #enis: number[] = [];
  readonly #podsRunning: number[] = [];
  readonly #waiting: number[] = [];
  readonly #unscheduled: number[] = [];
  readonly #requestRate: number[] = [];
  readonly #throttleRate: number[] = [];
  readonly #use = new Map<string, SubnetUse[]>();

  constructor(queue: EventQueue) {
    this.#queue = queue;
    this.#startAt = queue.now;
    this.#sampledAt = queue.now;
  }

  served(waitedMs: number): void {
    this.#waits.push(waitedMs);
  }

  failed(failure: Failure): void {
    if (failure.what.startsWith("a pod was refused")) this.#refusals++;
    const known = this.#failures.get(failure.what);
    if (known !== undefined) known.count++;
    else {
      const firstAtMs = Math.round(this.#queue.now - this.#startAt);
      this.#failures.set(failure.what, { ...failure, firstAtMs, count: 1 });
    }
  }

  /** Notes how things are now. */
  sample(cluster: Cluster, ec2: SimEc2, subnetNames: ReadonlyMap<string, string>): void {
    const { now } = this.#queue;
    const seconds = Math.max(now - this.#sampledAt, 1) / 1000;
    let requests = 0;
    let throttled = 0;
    for (const count of ec2.counts.values()) {
      requests += count.requests;
      throttled += count.throttled;
    }
    this.#atMs.push(now - this.#startAt);
    this.#nodes.push(cluster.nodes.size);
    this.#enis.push(ec2.state.enis.size);
    this.#enisPeak = Math.max(this.#enisPeak, ec2.state.enis.size);
    this.#podsRunning.push(cluster.podsRunning);
    this.#waiting.push(cluster.asking.size);
    this.#unscheduled.push(cluster.podsUnscheduled);
    this.#requestRate.push(round((requests - this.#requests) / seconds));
    this.#throttleRate.push(round((throttled - this.#throttled) / seconds));
    this.#requests = requests;
    this.#throttled = throttled;
    this.#sampledAt = now;
    const use = subnetUse(cluster, ec2, now);
    for (const [subnetId, name] of subnetNames) {
      const list = this.#use.get(name) ?? [];
      const one = use.get(subnetId);
      if (one !== undefined) list.push(one);
      this.#use.set(name, list);
    }
  }

  /** How long those have waited so far who have no address at the end. */
  #stillWaiting(cluster: Cluster): number[] {
    const { now } = this.#queue;
    return Array.from(cluster.asking, ({ askedAt }) => now - (askedAt ?? now));
  }

  report(
    scenario: Scenario,
    cluster: Cluster,
    ec2: SimEc2,
    subnetNames: ReadonlyMap<string, string>,
  ): Report {
    const failures: FailureReport[] = [...this.#failures.values()].toSorted(
      (a, b) => a.firstAtMs - b.firstAtMs,
    );
    return {
      scenario: scenario.name,
      description: scenario.description,
      driver: scenario.driver,
      seed: scenario.seed,
      durationMs: scenario.durationMs,
      events: this.#queue.ran,
      pods: {
        created: cluster.podsCreated,
        served: this.#waits.length,
        waitingForAddress: cluster.asking.size,
        waitingForNode: cluster.podsUnscheduled,
        refusals: this.#refusals,
      },
      addressWait: summarizeWaits([...this.#waits, ...this.#stillWaiting(cluster)]),
      nodes: { launched: cluster.nodesLaunched, peak: cluster.nodesPeak, end: cluster.nodes.size },
      enis: { peak: this.#enisPeak, end: ec2.state.enis.size },
      subnets: [...subnetNames].map(([subnetId, name]) => {
        const subnet = ec2.state.subnets.get(subnetId);
        const use = this.#use.get(name) ?? [];
        return {
          name,
          cidr: subnet === undefined ? "" : formatCidr(subnet.cidr),
          zone: subnet?.zone ?? "",
          end: use.at(-1) ?? noUse,
          leastFree: Math.min(...use.map(({ free }) => free)),
          leastFreeBlocks28: Math.min(...use.map(({ freeBlocks28 }) => freeBlocks28)),
        };
      }),
      ec2: {
        requests: this.#requests,
        throttled: this.#throttled,
        byAction: [...ec2.counts]
          .map(([action, count]) => ({ action, ...count }))
          .toSorted((a, b) => b.requests - a.requests || (a.action < b.action ? -1 : 1)),
      },
      firstFailure: failures[0],
      failures,
      series: {
        atMs: this.#atMs,
        nodes: this.#nodes,
        enis: this.#enis,
        podsRunning: this.#podsRunning,
        podsWaitingForAddress: this.#waiting,
        podsWaitingForNode: this.#unscheduled,
        requestsPerSecond: this.#requestRate,
        throttledPerSecond: this.#throttleRate,
        subnets: Array.from(this.#use, ([name, use]) => ({ name, use })),
      },
    };
  }
}

const noUse: SubnetUse = { pods: 0, warm: 0, cooling: 0, other: 0, free: 0, freeBlocks28: 0 };

/** How each subnet is used now, by subnet id. */
function subnetUse(cluster: Cluster, ec2: SimEc2, now: number): Map<string, SubnetUse> {
  const held = new Map<string, { pods: number; warm: number; cooling: number }>();
  for (const subnetId of ec2.state.subnets.keys()) held.set(subnetId, { pods: 0, warm: 0, cooling: 0 });
  for (const { driver } of cluster.nodes) {
    // Makes those ready whose cool-down is over.
    driver.pool.stats(now);
    for (const eni of driver.pool.enis()) {
      const use = held.get(eni.subnetId);
      if (use === undefined) continue;
      for (const { total, assigned, cooling } of [eni.groups.single, eni.groups.prefix4]) {
        use.pods += assigned;
        use.cooling += cooling;
        use.warm += total - assigned - cooling;
      }
    }
  }
  return new Map(
    Array.from(held, ([subnetId, { pods, warm, cooling }]) => {
      const space = ec2.state.spaces.get(subnetId);
      const used = space?.usedCount ?? 0;
      return [
        subnetId,
        {
          pods,
          warm,
          cooling,
          other: Math.max(used - pods - warm - cooling, 0),
          free: space?.freeCount ?? 0,
          freeBlocks28: space?.freeBlocks28Count ?? 0,
        },
      ];
    }),
  );
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
