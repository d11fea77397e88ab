import { parseIpv4 } from "../addr/ipv4.ts";
import { messageOf } from "../base/error.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { findEni } from "../cloud/model/lookup.ts";
import { addTags } from "../cloud/model/tags.ts";
import { decide } from "../ipam/decide.ts";
import { isExcludedForPods } from "../ipam/eni-selection.ts";
import { explainReason } from "../ipam/explain.ts";
import { NodeLedger } from "../ipam/node.ts";
import { createPool } from "../ipam/pool.ts";
import { applyBlockChanges, blockChanges, reconcileSteps } from "../ipam/reconcile.ts";
import { isSubnetExcluded } from "../ipam/subnet-choice.ts";
import type { InFlight, PodKey, Pool, Reason, RuleName } from "../ipam/types.ts";
import { attachedEnis } from "./attached.ts";
import { eniFacts, type Machine, type NodeDriver, type PodAsk, subnetsOfZone } from "./machine.ts";
import { NodeActions } from "./node-actions.ts";
import { type Process, spawn } from "./process.ts";

/** How long ipamd lets a pod wait before it refuses it (`node/ipamd/daemon.ts`). */
const longestWaitMs = 45_000;
/** The kubelet tries a sandbox again 10 to 15 s after it failed (backOffPeriod and its jitter). */
export const sandboxRetryMs = 10_000;
const reconcileMs = 60_000;
const hourMs = 3_600_000;

/** Rules that put growth off, each with the time at which it may go on (`node/ipamd/address-desk.ts`). */
const growthPauses: readonly RuleName[] = ["insufficient-back-off", "create-back-off", "retry-back-off"];

interface Waiter {
  readonly pod: PodAsk;
  readonly until: number;
}

/**
 * A node under ipamd of this project: the decision core and its ledger, with every action carried out against the
 * model of EC2 in the steps and with the calls of `node/ipamd`.
 */
export class EniverseNode implements NodeDriver {
  readonly pool: Pool;
  readonly #machine: Machine;
  readonly #ledger: NodeLedger;
  readonly #actions: NodeActions;
  #waiters: Waiter[] = [];
  /** Refused pods that the kubelet will bring again. */
  readonly #refused = new Set<string>();
  #notes: readonly Reason[] = [];
  #isStopped = false;
  #isRunning = false;
  #isAsked = false;
  #alarmAt = Number.POSITIVE_INFINITY;
  #wakeAt = Number.POSITIVE_INFINITY;
  #isDrifted = false;
  #onReady: (() => void) | undefined;

  constructor(machine: Machine) {
    this.#machine = machine;
    this.#actions = new NodeActions({
      machine,
      subnetsFor: (subnetIds) => {
        this.#ledger.newEniSubnets = subnetIds;
      },
      failed: (what, thrown) => this.#failed(what, thrown),
    });
    const { mode, cooldownMs } = machine.settings;
    this.pool = createPool({ card: 0, mode, cooldownMs });
    this.#ledger = new NodeLedger([{ pool: this.pool, unmanagedEnis: 0 }], machine.random);
    this.#ledger.maxPods = machine.maxPods;
  }

  start(ready: () => void): void {
    this.#onReady = ready;
    spawn(this.#machine.queue, this.#takeOver()).whenEnded(() => {
      if (this.#isStopped) return;
      this.#isRunning = true;
      this.#ledger.lastPoolActionAt = this.#now;
      this.#poke();
    });
  }

  stop(): void {
    this.#isStopped = true;
    this.#ledger.terminating = true;
    this.#waiters = [];
  }

  ask(pod: PodAsk): void {
    if (this.#isStopped) return;
    if (this.#waiters.length === 0 && this.pool.assign(pod.key, undefined, this.#now).ok) pod.served();
    else {
      this.#waiters.push({ pod, until: this.#now + longestWaitMs });
      this.#count();
    }
    this.#poke();
  }

  release(key: PodKey): void {
    if (this.pool.unassign(key, this.#now) === undefined) {
      this.#refused.delete(key.containerId);
      this.#waiters = this.#waiters.filter(({ pod }) => pod.key.containerId !== key.containerId);
      this.#count();
    }
    this.#poke();
  }

  get #now(): number {
    return this.#machine.queue.now;
  }

  #count(): void {
    this.#ledger.waiting = { anyCard: this.#waiters.length, everyCard: 0 };
  }

  /** What ipamd does before its loop: looks at what is attached, and tags it. */
  *#takeOver(): Process<void> {
    const { queue, ec2, client, settings, instanceId } = this.#machine;
    const known = [
      spawn(
        queue,
        ec2.call(client, "DescribeNetworkInterfaces", () => {}),
      ),
      ...(settings.provisioning
        ? [
            spawn(
              queue,
              ec2.call(client, "DescribeNetworkInterfaces", () => {}),
            ),
          ]
        : []),
      ...(settings.subnetDiscovery
        ? [
            spawn(
              queue,
              ec2.call(client, "DescribeSubnets", () => {}),
            ),
          ]
        : []),
    ];
    for (const task of known) {
      try {
        yield* task.join();
      } catch {
        // The next start of the container finds the same; here it is taken as done.
      }
    }
    this.#addAttached();
    if (!settings.provisioning) return;
    try {
      yield* ec2.call(client, "CreateTags", ({ state }) => {
        const tag = ["node.k8s.amazonaws.com/instance_id", instanceId] as const;
        for (const id of state.instances.get(instanceId)?.eniIds ?? [])
          addTags(findEni(state, id).tags, [tag]);
      });
    } catch (thrown) {
      this.#failed("CreateTags", thrown);
    }
  }

  #addAttached(): void {
    const { ec2, settings } = this.#machine;
    const subnets = ec2.model((ctx) => subnetsOfZone(ctx, this.#machine));
    for (const eni of attachedEnis(this.#machine)) {
      const inExcluded = settings.subnetDiscovery && isSubnetExcluded(eni.subnetId, subnets, undefined);
      const excluded = isExcludedForPods(eni, settings, inExcluded);
      const [own = ""] = [eni.primaryAddress];
      this.pool.addEni(
        eniFacts(
          { eniId: eni.id, subnetId: eni.subnetId, addresses: [parseIpv4(own)] },
          eni.deviceNumber,
          excluded,
        ),
        this.#now,
      );
      for (const address of eni.addresses) this.pool.addCidr(eni.id, `${address}/32`);
      for (const prefix of eni.ipv4Prefixes) this.pool.addCidr(eni.id, prefix);
    }
  }

  /** Asks the core once all events of this moment have been seen. */
  #poke(): void {
    if (this.#isAsked || this.#isStopped || !this.#isRunning) return;
    this.#isAsked = true;
    this.#machine.queue.at(this.#now, () => {
      this.#isAsked = false;
      if (!this.#isStopped) this.#decide();
    });
  }

  #decide(): void {
    const decision = decide(this.#ledger, this.#machine.settings, this.#now);
    this.#notes = decision.notes;
    for (const planned of decision.actions) {
      const inFlight = this.#ledger.begin(planned, this.#now);
      if (inFlight !== undefined) this.#carryOut(inFlight);
    }
    this.#wake(decision.wakeAt);
    this.#serve();
    this.#tellReady();
  }

  #carryOut({ id, action }: InFlight): void {
    const task = spawn(this.#machine.queue, this.#actions.outcomeOf(action));
    task.whenEnded(() => {
      if (this.#isStopped) return;
      const outcome = task.value;
      this.#ledger.finish(id, outcome, this.#now);
      if (outcome.kind === "failed") this.#drift();
      this.#poke();
    });
  }

  #wake(at: number | undefined): void {
    this.#wakeAt = at ?? Number.POSITIVE_INFINITY;
    this.#setAlarm(this.#wakeAt);
  }

  /** One alarm at a time; a later wish waits until the earlier one has rung. */
  #setAlarm(at: number): void {
    if (at >= this.#alarmAt || at === Number.POSITIVE_INFINITY) return;
    this.#alarmAt = at;
    this.#machine.queue.at(at, () => {
      if (this.#alarmAt !== at) return;
      this.#alarmAt = Number.POSITIVE_INFINITY;
      if (this.#isStopped) return;
      if (this.#now >= this.#wakeAt) this.#poke();
      else this.#setAlarm(this.#wakeAt);
      this.#serve();
    });
  }

  /** Serves who waits in turn, and refuses those for whom nothing can come in time. */
  #serve(): void {
    if (this.#waiters.length === 0) return;
    const now = this.#now;
    let served = 0;
    for (const { pod } of this.#waiters) {
      if (!this.pool.assign(pod.key, undefined, now).ok) break;
      served++;
      pod.served();
    }
    const left = this.#waiters.slice(served);
    const nextChange = this.#isGrowing ? now : this.#nextChangeAt();
    this.#waiters = left.filter(({ pod, until }) => {
      if (now < until && nextChange !== undefined && nextChange <= until) return true;
      this.#refuse(pod);
      return false;
    });
    this.#count();
    if (served > 0) this.#poke();
    if (this.#waiters.length === 0) return;
    const ready = this.pool.nextReadyAt(now) ?? Number.POSITIVE_INFINITY;
    this.#setAlarm(Math.max(Math.min(ready, ...this.#waiters.map(({ until }) => until)), now + 1));
  }

  get #isGrowing(): boolean {
    return this.#ledger.inFlight.some(
      ({ action }) => action.kind === "assign" || action.kind === "create-eni",
    );
  }

  #nextChangeAt(): number | undefined {
    const times = this.#notes.flatMap(({ rule, values }) =>
      growthPauses.includes(rule) && typeof values.until === "number" ? values.until : [],
    );
    const ready = this.pool.nextReadyAt(this.#now);
    if (ready !== undefined) times.push(ready);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #refuse(pod: PodAsk): void {
    const { queue, random } = this.#machine;
    const why = this.#notes.filter(({ rule }) => rule !== "enough").map(({ rule }) => rule);
    const told = this.#notes.filter(({ rule }) => rule !== "enough").map(explainReason);
    this.#machine.failed({
      what: `a pod was refused an address: ${[...new Set(why)].join(", ") || "none was ready in time"}`,
      why: [...new Set(told)].join("; ") || "all addresses were held or cooling",
      node: this.#machine.name,
    });
    this.#refused.add(pod.key.containerId);
    queue.after(sandboxRetryMs * (1 + random.next() / 2), () => {
      if (this.#refused.delete(pod.key.containerId)) this.ask(pod);
    });
  }

  /** Ready: an address is there, or nothing is under way that may bring one. */
  #tellReady(): void {
    const { queue, settings, random } = this.#machine;
    if (this.#onReady === undefined) return;
    if (this.pool.stats(this.#now).total === 0 && this.#isGrowing && settings.provisioning) return;
    const ready = this.#onReady;
    this.#onReady = undefined;
    ready();
    if (settings.leakedEniCleanup) queue.after(random.int(300) * 1000, () => this.#sweep());
  }

  /** The search for leaked ENIs, once an hour. */
  #sweep(): void {
    if (this.#isStopped) return;
    const { queue, ec2, client } = this.#machine;
    spawn(
      queue,
      ec2.call(client, "DescribeNetworkInterfaces", () => {}),
    );
    queue.after(hourMs, () => this.#sweep());
  }

  /** After a failure EC2 and the pool may differ: the reconcile of a minute later sets that right. */
  #drift(): void {
    if (this.#isDrifted) return;
    this.#isDrifted = true;
    this.#machine.queue.after(reconcileMs + 1, () => {
      this.#isDrifted = false;
      if (this.#isStopped) return;
      if (this.#ledger.inFlight.length > 0) this.#drift();
      else this.#reconcile();
    });
  }

  #reconcile(): void {
    const seen = attachedEnis(this.#machine);
    for (const step of reconcileSteps(this.#ledger, seen, () => false)) {
      const eni = seen.find(({ id }) => id === (step.kind === "add-eni" ? step.eni.id : step.eniId));
      if (step.kind === "remove-eni") this.pool.removeEni(step.eniId, { force: true });
      else if (eni !== undefined && step.kind === "add-eni") {
        this.pool.addEni(
          eniFacts(
            {
              eniId: eni.id,
              subnetId: eni.subnetId,
              addresses: [parseIpv4(eni.primaryAddress ?? "0.0.0.0")],
            },
            eni.deviceNumber,
          ),
          this.#now,
        );
        for (const address of eni.addresses) this.pool.addCidr(eni.id, `${address}/32`);
        for (const prefix of eni.ipv4Prefixes) this.pool.addCidr(eni.id, prefix);
      } else if (eni !== undefined && step.kind === "ask-ec2") {
        const known = this.pool.eni(step.eniId);
        if (known === undefined) continue;
        const freed = (block: string): boolean => this.#ledger.wasJustFreed(block, this.#now);
        applyBlockChanges(this.pool, step.eniId, blockChanges(known, eni, freed));
      }
    }
    this.#ledger.lastPoolActionAt = this.#now;
    this.#poke();
  }

  #failed(what: string, thrown: unknown): void {
    if (this.#isStopped) return;
    const code = thrown instanceof Ec2Fault ? thrown.code : "error";
    this.#machine.failed({ what: `${what}: ${code}`, why: messageOf(thrown), node: this.#machine.name });
  }
}
