import { parseCidr4 } from "../addr/cidr.ts";
import { formatIpv4, parseIpv4 } from "../addr/ipv4.ts";
import { messageOf } from "../base/error.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "../cloud/model/private-addresses.ts";
import type { AttachedEni } from "../ipam/facts.ts";
import { createPool } from "../ipam/pool.ts";
import type { EniView, PodKey, Pool } from "../ipam/types.ts";
import { attachedEnis } from "./attached.ts";
import {
  attach,
  blocksOfEni,
  createEniIn,
  deletePatiently,
  describeSubnets,
  detachPatiently,
  eniFacts,
  eniPlaces,
  isInsufficient,
  lowestIndex,
  type Machine,
  markForDeletion,
  type NodeDriver,
  type PodAsk,
  takenIndexes,
} from "./machine.ts";
import { sandboxRetryMs } from "./node.ts";
import { OfficialRules } from "./official-rules.ts";
import { type Process, spawn } from "./process.ts";

/** The constants of the official ipamd (`pkg/ipamd/ipamd.go`). */
const halfCycleMs = 2_500;
const decreaseSpacingMs = 30_000;
const insufficientBackOffMs = 120_000;
const imdsTries = 12;
const imdsFirstPauseMs = 100;
const afterDetachMs = 2_000;
const hourMs = 3_600_000;
const reconcileMs = 60_000;

/**
 * A node under the official algorithm's schedule, over the same model of EC2: one goroutine that wakes every
 * 2.5 s, grows one ENI a pass, waits until instance metadata shows what it asked for, and counts cooling addresses
 * as available. Pods are refused at once when no address is free; the kubelet brings them again. For side-by-side
 * tables; its pool is the data store and nothing of the decision core is asked.
 */
export class OfficialNode implements NodeDriver {
  readonly pool: Pool;
  readonly #machine: Machine;
  readonly #attachmentIds = new Map<string, string>();
  readonly #refused = new Set<string>();
  readonly #rules: OfficialRules;
  #isStopped = false;
  #lastDecreaseAt = Number.NEGATIVE_INFINITY;
  #insufficientAt = Number.NEGATIVE_INFINITY;
  /** When the pool was last changed in EC2, or reconciled. */
  #lastActionAt = 0;

  constructor(machine: Machine) {
    this.#machine = machine;
    const { mode, cooldownMs } = machine.settings;
    this.pool = createPool({ card: 0, mode, cooldownMs });
    const { settings, maxPods, queue } = machine;
    this.#rules = new OfficialRules({ pool: this.pool, settings, maxPods, now: () => queue.now });
  }

  start(ready: () => void): void {
    spawn(this.#machine.queue, this.#main(ready)).whenEnded(() => {});
  }

  stop(): void {
    this.#isStopped = true;
  }

  ask(pod: PodAsk): void {
    if (this.#isStopped) return;
    const { queue, random } = this.#machine;
    if (this.pool.assign(pod.key, undefined, this.#now).ok) {
      pod.served();
      return;
    }
    this.#machine.failed({
      what: "a pod was refused an address: no available IP/Prefix addresses",
      why: "the data store had none; the kubelet tries again",
      node: this.#machine.name,
    });
    this.#refused.add(pod.key.containerId);
    queue.after(sandboxRetryMs * (1 + random.next() / 2), () => {
      if (this.#refused.delete(pod.key.containerId)) this.ask(pod);
    });
  }

  release(key: PodKey): void {
    if (this.pool.unassign(key, this.#now) === undefined) this.#refused.delete(key.containerId);
  }

  get #now(): number {
    return this.#machine.queue.now;
  }

  get #isPrefix(): boolean {
    return this.#machine.settings.mode === "prefix";
  }

  *#main(ready: () => void): Process<void> {
    const { queue, settings, random } = this.#machine;
    yield* this.#nodeInit();
    if (this.#isStopped) return;
    ready();
    if (!settings.provisioning) return;
    if (settings.leakedEniCleanup) queue.after(random.int(300) * 1000, () => this.#sweep());
    for (;;) {
      yield halfCycleMs;
      if (this.#isStopped) return;
      yield* this.#updatePool();
      yield halfCycleMs;
      yield* this.#reconcile();
    }
  }

  #sweep(): void {
    if (this.#isStopped) return;
    const { queue, ec2, client } = this.#machine;
    spawn(
      queue,
      ec2.call(client, "DescribeNetworkInterfaces", () => {}),
    );
    queue.after(hourMs, () => this.#sweep());
  }

  /** What is attached is tagged and taken in, security groups are set, and one increase is run. */
  *#nodeInit(): Process<void> {
    const { settings } = this.#machine;
    yield* this.#call("DescribeNetworkInterfaces");
    for (const eni of attachedEnis(this.#machine)) yield* this.#takeIn(eni);
    this.#lastActionAt = this.#now;
    if (!settings.provisioning) return;
    yield* this.#call("ModifyNetworkInterfaceAttribute");
    if (this.#rules.isTooLow()) yield* this.#increase();
  }

  /** Tags an attached ENI and adds it to the data store. */
  *#takeIn(eni: AttachedEni): Process<void> {
    const { settings } = this.#machine;
    if (settings.provisioning) yield* this.#call("CreateTags");
    if (settings.subnetDiscovery) yield* this.#call("DescribeSubnets");
    if (this.pool.eni(eni.id) !== undefined) return;
    const own = parseIpv4(eni.primaryAddress ?? "0.0.0.0");
    const facts = { eniId: eni.id, subnetId: eni.subnetId, addresses: [own] };
    const excluded = eni.primary && settings.customNetworking;
    this.pool.addEni(eniFacts(facts, eni.deviceNumber, excluded), this.#now);
    for (const address of eni.addresses) this.pool.addCidr(eni.id, `${address}/32`);
    for (const prefix of eni.ipv4Prefixes) this.pool.addCidr(eni.id, prefix);
  }

  /** Once the pool was left alone for a minute, ENIs are adopted that were attached and then given up on. */
  *#reconcile(): Process<void> {
    if (this.#isStopped || this.#now - this.#lastActionAt <= reconcileMs) return;
    const unknown = attachedEnis(this.#machine).filter(({ id }) => this.pool.eni(id) === undefined);
    if (unknown.length > 0) yield* this.#call("DescribeNetworkInterfaces");
    for (const eni of unknown) yield* this.#takeIn(eni);
    this.#lastActionAt = this.#now;
  }

  *#updatePool(): Process<void> {
    // All decisions of a pass are made from what was so when it began.
    const isTooLow = this.#rules.isTooLow();
    const surplus = this.#rules.surplus();
    const mayFree = this.#rules.mayHaveExtraEnis();
    if (isTooLow) yield* this.#increase();
    else if (surplus > 0 && this.#now - this.#lastDecreaseAt > decreaseSpacingMs) {
      yield* this.#decrease(surplus);
      this.#lastDecreaseAt = this.#now;
      this.#lastActionAt = this.#now;
    }
    if (mayFree) yield* this.#freeOneEni();
  }

  *#increase(): Process<void> {
    if (this.#now - this.#insufficientAt <= insufficientBackOffMs) return;
    const { settings } = this.#machine;
    const want = this.#rules.wantedSlots();
    if (want === 0) return;
    for (const eni of this.#rules.growable()) {
      try {
        yield* this.#assign(eni, Math.min(settings.slotsPerEni - eni.cidrCount, want));
        this.#lastActionAt = this.#now;
        return;
      } catch (thrown) {
        this.#failed("AssignPrivateIpAddresses", thrown);
        if (isInsufficient(thrown) && settings.subnetDiscovery) continue;
        if (isInsufficient(thrown)) this.#insufficientAt = this.#now;
        return;
      }
    }
    if (this.pool.enis().length < settings.maxEni)
      yield* this.#createEni(Math.min(want, settings.slotsPerEni));
  }

  *#assign(eni: EniView, count: number): Process<void> {
    try {
      yield* this.#assignCount(eni, count);
    } catch {
      yield* this.#assignCount(eni, 1);
    }
  }

  *#assignCount(eni: EniView, count: number): Process<void> {
    const { ec2, client } = this.#machine;
    const want = this.#isPrefix ? { prefixCount: count } : { addressCount: count };
    const given = yield* ec2.call(client, "AssignPrivateIpAddresses", (ctx) =>
      assignPrivateAddresses(ctx, { eniId: eni.id, ...want }),
    );
    for (const address of given.addresses) this.pool.addCidr(eni.id, `${formatIpv4(address)}/32`);
    for (const base of given.prefixes) this.pool.addCidr(eni.id, `${formatIpv4(base)}/28`);
  }

  *#createEni(count: number): Process<void> {
    const machine = this.#machine;
    const what = this.#isPrefix ? "ipv4-prefixes" : "addresses";
    let last: unknown;
    try {
      for (const subnetId of yield* eniPlaces(machine, () => describeSubnets(machine))) {
        try {
          const eni = yield* createEniIn(machine, subnetId, { what, count });
          yield* this.#attach(eni, subnetId);
          this.#lastActionAt = this.#now;
          return;
        } catch (thrown) {
          last = thrown;
          this.#failed("CreateNetworkInterface", thrown);
          if (!isInsufficient(thrown)) break;
        }
      }
    } catch (thrown) {
      last = thrown;
      this.#failed("DescribeSubnets", thrown);
    }
    if (isInsufficient(last)) this.#insufficientAt = this.#now;
  }

  *#attach(
    eni: Parameters<typeof blocksOfEni>[0] & { readonly eniId: string },
    subnetId: string,
  ): Process<void> {
    const machine = this.#machine;
    let attached: { readonly attachmentId: string; readonly deviceAt: number };
    let index: number;
    try {
      index = lowestIndex(yield* takenIndexes(machine), new Set());
      attached = yield* attach(machine, eni.eniId, index);
    } catch (thrown) {
      yield* deletePatiently(machine, eni.eniId);
      throw thrown;
    }
    this.#attachmentIds.set(eni.eniId, attached.attachmentId);
    try {
      yield* markForDeletion(machine, eni.eniId, attached.attachmentId);
    } catch (thrown) {
      yield* this.#free(eni.eniId);
      throw thrown;
    }
    yield* this.#waitForMetadata(attached.deviceAt + machine.imdsLagMs);
    if (machine.settings.subnetDiscovery)
      yield* machine.ec2.call(machine.client, "DescribeSubnets", () => {});
    const { addresses, prefixes } = blocksOfEni(eni);
    this.pool.addEni(eniFacts({ eniId: eni.eniId, subnetId, addresses: eni.addresses }, index), this.#now);
    for (const address of addresses) this.pool.addCidr(eni.eniId, `${address}/32`);
    for (const prefix of prefixes) this.pool.addCidr(eni.eniId, prefix);
  }

  /** Looks again after 100 ms, doubled each time, until metadata shows the ENI; twelve looks at the most. */
  *#waitForMetadata(shownAt: number): Process<void> {
    let pauseMs = imdsFirstPauseMs;
    for (let tried = 1; this.#now < shownAt && tried < imdsTries; tried++) {
      yield Math.round(pauseMs * (1 + this.#machine.random.next() * 0.15));
      pauseMs = Math.min(pauseMs * 2, 60_000);
    }
  }

  *#decrease(surplus: number): Process<void> {
    const { ec2, client } = this.#machine;
    let left = surplus;
    for (const eni of this.pool.enis()) {
      // Cooling addresses do not hold a block back.
      const free = eni
        .cidrs()
        .filter((block) => block.assigned === 0 && block.prefix === this.#isPrefix)
        .slice(0, left);
      if (free.length === 0) continue;
      left -= free.length;
      for (const { cidr } of free) this.pool.removeCidr(eni.id, cidr);
      const prefixes = free.filter(({ prefix }) => prefix).map(({ cidr }) => parseCidr4(cidr));
      const addresses = free
        .filter(({ prefix }) => !prefix)
        .map(({ cidr }) => parseIpv4(cidr.replace(/\/32$/, "")));
      const what = prefixes.length > 0 ? { prefixes } : { addresses };
      yield* this.#try(
        "UnassignPrivateIpAddresses",
        ec2.call(client, "UnassignPrivateIpAddresses", (ctx) =>
          unassignPrivateAddresses(ctx, { eniId: eni.id, ...what }),
        ),
      );
    }
  }

  *#freeOneEni(): Process<void> {
    const eni = this.pool.enis().find((each) => this.#rules.isDeletable(each));
    if (eni === undefined) return;
    this.pool.removeEni(eni.id);
    yield* this.#free(eni.id);
  }

  *#free(eniId: string): Process<void> {
    yield* this.#call("DescribeNetworkInterfaces");
    const attachmentId = this.#attachmentIds.get(eniId);
    if (attachmentId !== undefined) {
      yield* this.#try("DetachNetworkInterface", detachPatiently(this.#machine, attachmentId));
      yield afterDetachMs;
    }
    yield* this.#try("DeleteNetworkInterface", deletePatiently(this.#machine, eniId));
  }

  /** A call of which only the time and the place in the buckets count. */
  *#call(action: string): Process<void> {
    const { ec2, client } = this.#machine;
    yield* this.#try(
      action,
      ec2.call(client, action, () => {}),
    );
  }

  *#try(what: string, work: Process<unknown>): Process<void> {
    try {
      yield* work;
    } catch (thrown) {
      this.#failed(what, thrown);
    }
  }

  #failed(what: string, thrown: unknown): void {
    if (this.#isStopped) return;
    const code = thrown instanceof Ec2Fault ? thrown.code : "error";
    this.#machine.failed({ what: `${what}: ${code}`, why: messageOf(thrown), node: this.#machine.name });
  }
}
