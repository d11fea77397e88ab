import { formatCidr, parseCidr4 } from "../../addr/cidr.ts";
import { formatIpv4, parseIpv4 } from "../../addr/ipv4.ts";
import { block28 } from "../../cloud/model/address-taking.ts";
import { attachEni, detachEni } from "../../cloud/model/attachment.ts";
import { Ec2Fault } from "../../cloud/model/fault.ts";
import { createEni, deleteEni, type NetworkInterface } from "../../cloud/model/network-interface.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "../../cloud/model/private-addresses.ts";
import { checkPool } from "../../ipam/check-pool.ts";
import { decide } from "../../ipam/decide.ts";
import { type AttachedEni, poolFacts } from "../../ipam/facts.ts";
import { NodeLedger } from "../../ipam/node.ts";
import { createPool } from "../../ipam/pool.ts";
import { blockChanges, blocksOf, reconcileSteps } from "../../ipam/reconcile.ts";
import { restorePool } from "../../ipam/restore.ts";
import { effectiveSettings, type Settings, type SettingsInput } from "../../ipam/settings.ts";
import type { AssignAction, CreateEniAction, InFlight, Outcome, PodKey, Pool } from "../../ipam/types.ts";
import type { CoreWorld } from "./core-world.ts";

/** m5.large. */
const limits = {
  enis: 3,
  ipv4PerEni: 10,
  hypervisor: "nitro",
  bareMetal: false,
  trunkCapable: true,
} as const;
const insufficient = ["InsufficientFreeAddressesInSubnet", "InsufficientCidrBlocks"];

/** An action on its way: announced, then carried out in EC2, then known to the ledger. */
interface Errand {
  readonly inFlight: InFlight;
  outcome?: Outcome;
}

/** One node of a {@link CoreWorld}: ledger and pool as ipamd keeps them, pods, and the calls under way. */
export class CoreNode {
  readonly #world: CoreWorld;
  readonly #instanceId: string;
  settings: Settings;
  ledger: NodeLedger;
  #pods: PodKey[] = [];
  #errands: Errand[] = [];
  #nextPod = 1;
  /** Pods of which an address was taken away. */
  readonly #robbed: string[] = [];
  /** When each address was released by a pod, while it stays in the pool. */
  readonly #releasedAt = new Map<string, number>();

  constructor(world: CoreWorld, instanceId: string, input: SettingsInput) {
    this.#world = world;
    this.#instanceId = instanceId;
    this.settings = effectiveSettings(input, limits).settings;
    this.ledger = this.#start();
  }

  get pool(): Pool {
    return this.ledger.pool(0);
  }

  /** A new ipamd: pools from what EC2 has, pods from the checkpoint. */
  #start(): NodeLedger {
    const { mode, cooldownMs } = this.settings;
    const pool = createPool({ card: 0, mode, cooldownMs });
    for (const eni of this.#attached()) {
      pool.addEni(poolFacts(eni, { excluded: false }), this.#world.now);
      for (const block of blocksOf(eni)) pool.addCidr(eni.id, block);
    }
    return new NodeLedger([{ pool, unmanagedEnis: 0 }], this.#world.random);
  }

  /** kill -9 and a new start: what was under way is forgotten, half done or not. */
  restart(input: SettingsInput | undefined): void {
    const { now } = this.#world;
    const allocations = this.pool.assignments().map(({ key, address, assignedAt }) => ({
      key,
      address,
      assignedAt,
    }));
    const cooling = this.pool.coolingAddresses(now);
    if (input !== undefined) this.settings = effectiveSettings(input, limits).settings;
    this.#errands = [];
    this.ledger = this.#start();
    const { lost } = restorePool(this.pool, { allocations, cooling }, [], () => "", now);
    for (const { address } of lost) this.#robbed.push(address);
    this.#serve();
  }

  /** Lands or ends pods until there are `count`. */
  scale(count: number): void {
    while (this.#pods.length > count) this.endPod(this.#pods.length - 1);
    while (this.#pods.length < count) {
      this.#pods.push({
        networkName: "aws-cni",
        containerId: `${this.#instanceId}-${this.#nextPod++}`,
        ifName: "eth0",
      });
    }
    this.#serve();
  }

  endPod(pick: number): void {
    const [key] = this.#pods.splice(pick % Math.max(this.#pods.length, 1), 1);
    if (key === undefined) return;
    const released = this.pool.unassign(key, this.#world.now);
    if (released !== undefined) this.#releasedAt.set(released.assignment.address, this.#world.now);
    this.#serve();
  }

  #serve(): void {
    const { now } = this.#world;
    let waiting = 0;
    for (const key of this.#pods) {
      const answer = this.pool.assign(key, undefined, now);
      if (!answer.ok) waiting++;
      else if (answer.fresh) this.#noteAssigned(answer.assignment.address);
    }
    this.ledger.waiting = { anyCard: waiting, everyCard: 0 };
  }

  #noteAssigned(address: string): void {
    const released = this.#releasedAt.get(address);
    this.#releasedAt.delete(address);
    if (released !== undefined && this.#world.now - released <= this.settings.cooldownMs)
      this.#robbed.push(`${address} was given out ${this.#world.now - released} ms after its release`);
  }

  /** Announces everything that is decided. */
  begin(): number {
    let count = 0;
    for (let round = 0; round < 100; round++) {
      const { actions } = decide(this.ledger, this.settings, this.#world.now);
      if (actions.length === 0) return count;
      for (const planned of actions) {
        const inFlight = this.ledger.begin(planned, this.#world.now);
        if (inFlight === undefined) continue;
        this.#forget(inFlight);
        this.#errands.push({ inFlight });
        count++;
      }
    }
    throw new Error("there is no end of actions");
  }

  /** What leaves the pool may come back without memory of its releases. */
  #forget({ action }: InFlight): void {
    if (action.kind !== "unassign" && action.kind !== "free-eni") return;
    for (const address of this.#releasedAt.keys())
      if (this.pool.lookupAddress(address) === undefined && !this.#inPool(address))
        this.#releasedAt.delete(address);
  }

  #inPool(address: string): boolean {
    return this.pool
      .enis()
      .some((eni) => eni.cidrs().some((block) => block.addresses().some((each) => each.address === address)));
  }

  /** EC2 carries one errand out; the ledger does not know yet. */
  apply(pick: number): void {
    const open = this.#errands.filter(({ outcome }) => outcome === undefined);
    const errand = open[pick % Math.max(open.length, 1)];
    if (errand !== undefined) errand.outcome = this.#outcomeOf(errand.inFlight);
  }

  /** The answer of one errand arrives. */
  finish(pick: number): void {
    const ready = this.#errands.filter(({ outcome }) => outcome !== undefined);
    const errand = ready[pick % Math.max(ready.length, 1)];
    if (errand?.outcome === undefined) return;
    this.#errands.splice(this.#errands.indexOf(errand), 1);
    this.ledger.finish(errand.inFlight.id, errand.outcome, this.#world.now);
    this.#serve();
  }

  #outcomeOf({ action }: InFlight): Outcome {
    try {
      switch (action.kind) {
        case "assign":
          return this.#assign(action);
        case "create-eni":
          return this.#create(action);
        case "unassign": {
          const { eniId, addresses, prefixes } = action;
          const bare = addresses.map((block) => parseIpv4(block.replace("/32", "")));
          if (bare.length > 0)
            this.#world.call("UnassignPrivateIpAddresses", (ctx) =>
              unassignPrivateAddresses(ctx, { eniId, addresses: bare }),
            );
          if (prefixes.length > 0)
            this.#world.call("UnassignPrivateIpAddresses", (ctx) =>
              unassignPrivateAddresses(ctx, { eniId, prefixes: prefixes.map(parseCidr4) }),
            );
          return { kind: "done" };
        }
        case "free-eni": {
          const attachmentId = this.#world.state.enis.get(action.eniId)?.attachment?.attachmentId ?? "";
          this.#world.call("DetachNetworkInterface", (ctx) => detachEni(ctx, attachmentId));
          this.#world.call("DeleteNetworkInterface", (ctx) => deleteEni(ctx, action.eniId));
          return { kind: "done" };
        }
        case "request-trunk":
          return { kind: "done" };
      }
    } catch (error) {
      if (!(error instanceof Ec2Fault)) throw error;
      const full = insufficient.includes(error.code) ? [this.#world.subnetId] : [];
      const throttled = error.code === "RequestLimitExceeded";
      return { kind: "failed", error: error.code, insufficientSubnets: full, throttled };
    }
  }

  #assign({ eniId, what, count }: AssignAction): Outcome {
    const wish = what === "addresses" ? { addressCount: count } : { prefixCount: count };
    const { addresses, prefixes } = this.#world.call("AssignPrivateIpAddresses", (ctx) =>
      assignPrivateAddresses(ctx, { eniId, ...wish }),
    );
    return {
      kind: "assigned",
      addresses: addresses.map(formatIpv4),
      prefixes: prefixes.map((base) => formatCidr(block28(base))),
    };
  }

  #create({ what, count }: CreateEniAction): Outcome {
    const { state, subnetId } = this.#world;
    const wish = what === "addresses" ? { addressCount: count } : { prefixCount: count };
    const eni = this.#world.call("CreateNetworkInterface", (ctx) =>
      createEni(ctx, { subnetId, requesterId: "chaos", description: `aws-K8S-${this.#instanceId}`, ...wish }),
    );
    const taken = new Set(this.#enis().map(({ attachment }) => attachment?.deviceIndex));
    const deviceIndex = [1, 2, 3, 4].find((index) => !taken.has(index)) ?? 5;
    try {
      this.#world.call("AttachNetworkInterface", (ctx) =>
        attachEni(ctx, { eniId: eni.eniId, instanceId: this.#instanceId, deviceIndex }),
      );
    } catch (error) {
      try {
        this.#world.call("DeleteNetworkInterface", (ctx) => deleteEni(ctx, eni.eniId));
      } catch {
        // Left for the search for leaked ENIs.
      }
      throw error;
    }
    const attached = attachedEni(state.enis.get(eni.eniId) ?? eni);
    return {
      kind: "created",
      eni: poolFacts(attached, { excluded: false }),
      addresses: attached.addresses,
      prefixes: attached.ipv4Prefixes,
    };
  }

  #enis(): NetworkInterface[] {
    const { state } = this.#world;
    return (state.instances.get(this.#instanceId)?.eniIds ?? []).flatMap(
      (eniId) => state.enis.get(eniId) ?? [],
    );
  }

  #attached(): AttachedEni[] {
    return this.#enis().map(attachedEni);
  }

  /** Holds the pool against what metadata shows (`seen`, perhaps old) and what EC2 has, as ipamd does. */
  reconcile(seen: readonly AttachedEni[] = this.#attached()): void {
    const { now } = this.#world;
    const truth = new Map(this.#attached().map((eni) => [eni.id, eni]));
    for (const step of reconcileSteps(this.ledger, seen, () => false)) {
      const id = step.kind === "add-eni" ? step.eni.id : step.eniId;
      const real = truth.get(id);
      const known = this.pool.eni(id);
      if (step.kind === "add-eni") {
        if (real === undefined) continue;
        this.pool.addEni(poolFacts(real, { excluded: false }), now);
        for (const block of blocksOf(real)) this.pool.addCidr(id, block);
      } else if (step.kind === "remove-eni") {
        if (real === undefined) this.#rob(this.pool.removeEni(id, { force: true }));
      } else if (real !== undefined && known !== undefined) {
        const changes = blockChanges(known, real, (block) => this.ledger.wasJustFreed(block, now));
        for (const block of changes.remove) this.#rob(this.pool.removeCidr(id, block, { force: true }));
        for (const block of changes.add) this.pool.addCidr(id, block);
      }
    }
    this.ledger.lastPoolActionAt = now;
    this.#serve();
  }

  #rob(evicted: readonly { readonly address: string }[]): void {
    for (const { address } of evicted) this.#robbed.push(`${address} was taken from a pod`);
  }

  /** What metadata shows now, to be believed later. */
  snapshot(): readonly AttachedEni[] {
    return this.#attached();
  }

  /** Does all that is to be done at this moment. */
  rest(): void {
    for (let round = 0; round < 50; round++) {
      while (this.#errands.length > 0) {
        this.apply(0);
        this.finish(0);
      }
      this.#serve();
      if (this.begin() === 0) return;
    }
    throw new Error("a node comes never to rest");
  }

  picture(): unknown {
    return [this.pool.assignments().length, this.ledger.waiting, this.#errands.length];
  }

  broken(): string[] {
    return [...this.#robbed, ...checkPool(this.pool, this.#world.now)];
  }

  brokenAtRest(): string[] {
    const { pool } = this;
    const found: string[] = [];
    for (const eni of this.#attached()) {
      const known = (pool.eni(eni.id)?.cidrs() ?? []).map(({ cidr }) => cidr).sort();
      const owned = blocksOf(eni).sort();
      if (pool.eni(eni.id) === undefined) found.push(`${eni.id} is attached and not in the pool`);
      else if (known.join() !== owned.join())
        found.push(`${eni.id}: the pool has ${known.join(" ")}, EC2 ${owned.join(" ")}`);
    }
    const gone = pool.enis().filter(({ id }) => !this.#enis().some(({ eniId }) => eniId === id));
    found.push(...gone.map(({ id }) => `${id} is in the pool and not attached`));
    const { notes } = decide(this.ledger, this.settings, this.#world.now);
    const { anyCard: waiting } = this.ledger.waiting;
    // One for the ENI itself, and one for a pod; or a prefix for pods.
    const { freeAddresses, freePrefixes } = this.#world;
    const isCrowded = freeAddresses < 2 || (this.settings.mode === "prefix" && freePrefixes < 1);
    if (waiting > 0 && !isCrowded && !notes.some(({ rule }) => rule === "max-eni"))
      found.push(`${waiting} pods wait for no reason: ${JSON.stringify(notes)}`);
    return found;
  }
}

function attachedEni(eni: NetworkInterface): AttachedEni {
  const [own, ...addresses] = eni.addresses;
  const deviceNumber = eni.attachment?.deviceIndex ?? 0;
  return {
    id: eni.eniId,
    card: 0,
    deviceNumber,
    subnetId: eni.subnetId,
    primary: deviceNumber === 0,
    ...(own === undefined ? {} : { primaryAddress: formatIpv4(own) }),
    addresses: addresses.map(formatIpv4),
    ipv4Prefixes: eni.prefixes.map((base) => formatCidr(block28(base))),
    ipv6Prefixes: [],
    interfaceType: eni.interfaceType,
  };
}
