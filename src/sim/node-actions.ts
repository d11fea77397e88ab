import { parseCidr4 } from "../addr/cidr.ts";
import { formatIpv4, parseIpv4 } from "../addr/ipv4.ts";
import type { Subnet } from "../aws/shapes.ts";
import { messageOf } from "../base/error.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "../cloud/model/private-addresses.ts";
import { retryPause, throttlePatienceMs } from "../ipam/retry-pause.ts";
import type { Action, AssignAction, CreateEniAction, Outcome, UnassignAction } from "../ipam/types.ts";
import {
  attach,
  blocksOfEni,
  createEniIn,
  deletePatiently,
  describeSubnets,
  detachPatiently,
  eniFacts,
  eniPlaces,
  isGone,
  isInsufficient,
  isThrottling,
  lowestIndex,
  type Machine,
  markForDeletion,
  takenIndexes,
} from "./machine.ts";
import { type Process, Shared, spawn, type Task } from "./process.ts";

export interface NodeActionParts {
  readonly machine: Machine;
  /** The subnets that new ENIs may go to have been read. */
  readonly subnetsFor: (subnetIds: readonly string[]) => void;
  /** A call failed for good. */
  readonly failed: (what: string, thrown: unknown) => void;
}

/** Carries the core's actions out against the model of EC2, in the steps and with the calls of `node/ipamd`. */
export class NodeActions {
  readonly #parts: NodeActionParts;
  readonly #machine: Machine;
  readonly #attachmentIds = new Map<string, string>();
  readonly #reserved = new Set<number>();
  /** ENIs that are created together need only one look at what is there. */
  readonly #indexLook: Shared<ReadonlySet<number>>;
  readonly #subnetsLook: Shared<Subnet[]>;

  constructor(parts: NodeActionParts) {
    const { machine } = parts;
    this.#parts = parts;
    this.#machine = machine;
    this.#indexLook = new Shared(machine.queue, () => takenIndexes(machine));
    this.#subnetsLook = new Shared(machine.queue, () => describeSubnets(machine));
  }

  /** How an action ends; never throws. */
  *outcomeOf(action: Action): Process<Outcome> {
    switch (action.kind) {
      case "assign":
        return yield* this.#assign(action);
      case "create-eni":
        return yield* this.#createEni(action);
      case "unassign":
        return yield* this.#unassign(action);
      case "free-eni":
        return yield* this.#freeEni(action.eniId);
      case "request-trunk":
        return { kind: "done" };
    }
  }

  *#assign(action: AssignAction): Process<Outcome> {
    const { ec2, client } = this.#machine;
    const { eniId, what, count, subnetId } = action;
    const want = what === "addresses" ? { addressCount: count } : { prefixCount: count };
    try {
      const given = yield* ec2.call(client, "AssignPrivateIpAddresses", (ctx) =>
        assignPrivateAddresses(ctx, { eniId, ...want }),
      );
      return {
        kind: "assigned",
        addresses: given.addresses.map(formatIpv4),
        prefixes: given.prefixes.map((base) => `${formatIpv4(base)}/28`),
      };
    } catch (thrown) {
      this.#failed("AssignPrivateIpAddresses", thrown);
      return failed(thrown, isInsufficient(thrown) ? [subnetId] : []);
    }
  }

  *#createEni(action: CreateEniAction): Process<Outcome> {
    const insufficientSubnets: string[] = [];
    const machine = this.#machine;
    const indexTaken = spawn(machine.queue, this.#takeIndex());
    let hasEni = false;
    let isTold = false;
    try {
      const places = yield* eniPlaces(machine, () => this.#subnetsLook.answer());
      this.#parts.subnetsFor(places);
      let last: unknown;
      const allowed = places.filter((place) => !action.avoidSubnets.includes(place));
      if (allowed.length === 0) insufficientSubnets.push(...action.avoidSubnets);
      for (const subnetId of allowed) {
        try {
          const eni = yield* createEniIn(machine, subnetId, action);
          hasEni = true;
          const { attachmentId, deviceAt } = yield* this.#attach(eni.eniId, indexTaken);
          const index = indexTaken.value;
          const mark = spawn(
            machine.queue,
            this.#despiteThrottling(() => markForDeletion(machine, eni.eniId, attachmentId)),
          );
          if (deviceAt > this.#machine.queue.now) yield deviceAt - this.#machine.queue.now;
          try {
            yield* mark.join();
          } catch (thrown) {
            yield* this.#freeEni(eni.eniId);
            throw thrown;
          }
          return { kind: "created", eni: eniFacts(eni, index), ...blocksOfEni(eni) };
        } catch (thrown) {
          if (hasEni || !(thrown instanceof Ec2Fault)) throw thrown;
          this.#failed("CreateNetworkInterface", thrown);
          if (isInsufficient(thrown)) insufficientSubnets.push(subnetId);
          last = thrown;
          isTold = true;
        }
      }
      throw last ?? new Ec2Fault("NoSubnet", "no subnet to create it in");
    } catch (thrown) {
      if (hasEni || !isTold) this.#failed("create an ENI", thrown);
      return failed(thrown, insufficientSubnets);
    } finally {
      indexTaken.whenEnded(() => this.#giveIndexBack(indexTaken));
    }
  }

  *#takeIndex(): Process<number> {
    const index = lowestIndex(yield* this.#indexLook.answer(), this.#reserved);
    this.#reserved.add(index);
    return index;
  }

  #giveIndexBack(indexTaken: Task<number>): void {
    try {
      this.#reserved.delete(indexTaken.value);
    } catch {
      // None was taken.
    }
  }

  *#attach(eniId: string, indexTaken: Task<number>): ReturnType<typeof attach> {
    try {
      const index = yield* indexTaken.join();
      const attached = yield* this.#despiteThrottling(() => attach(this.#machine, eniId, index));
      this.#attachmentIds.set(eniId, attached.attachmentId);
      return attached;
    } catch (thrown) {
      try {
        yield* deletePatiently(this.#machine, eniId);
      } catch (error) {
        this.#failed("DeleteNetworkInterface", error);
      }
      throw thrown;
    }
  }

  *#unassign(action: UnassignAction): Process<Outcome> {
    const { queue, ec2, client } = this.#machine;
    const give = (what: Pick<Parameters<typeof unassignPrivateAddresses>[1], "addresses" | "prefixes">) =>
      spawn(
        queue,
        ec2.call(client, "UnassignPrivateIpAddresses", (ctx) =>
          unassignPrivateAddresses(ctx, { eniId: action.eniId, ...what }),
        ),
      );
    const addresses = action.addresses.map((block) => parseIpv4(block.replace(/\/32$/, "")));
    const tasks = [
      ...(action.prefixes.length > 0 ? [give({ prefixes: action.prefixes.map(parseCidr4) })] : []),
      ...(addresses.length > 0 ? [give({ addresses })] : []),
    ];
    const errors: unknown[] = [];
    for (const task of tasks) {
      try {
        yield* task.join();
      } catch (thrown) {
        if (isGone(thrown)) continue;
        this.#failed("UnassignPrivateIpAddresses", thrown);
        errors.push(thrown);
      }
    }
    if (errors.length === 0) return { kind: "done" };
    return failed(errors.find(isThrottling) ?? errors[0]);
  }

  *#freeEni(eniId: string): Process<Outcome> {
    const machine = this.#machine;
    try {
      const attachmentId =
        this.#attachmentIds.get(eniId) ??
        (yield* machine.ec2.call(
          machine.client,
          "DescribeNetworkInterfaces",
          ({ state }) => state.enis.get(eniId)?.attachment?.attachmentId,
        ));
      if (attachmentId !== undefined) yield* detachPatiently(machine, attachmentId);
      yield* deletePatiently(machine, eniId);
      this.#attachmentIds.delete(eniId);
      return { kind: "done" };
    } catch (thrown) {
      if (isGone(thrown)) return { kind: "done" };
      this.#failed("free an ENI", thrown);
      return failed(thrown);
    }
  }

  /** Repeats what EC2 throttles while an ENI is half made (`node/ipamd/throttle-wait.ts`). */
  *#despiteThrottling<T>(work: () => Process<T>): Process<T> {
    const { queue, random } = this.#machine;
    const end = queue.now + throttlePatienceMs;
    for (let failures = 1; ; failures++) {
      try {
        return yield* work();
      } catch (thrown) {
        const pauseMs = retryPause(failures, true, random);
        if (!isThrottling(thrown) || queue.now + pauseMs > end) throw thrown;
        yield pauseMs;
      }
    }
  }

  #failed(what: string, thrown: unknown): void {
    this.#parts.failed(what, thrown);
  }
}

function failed(thrown: unknown, insufficientSubnets: readonly string[] = []): Outcome {
  return {
    kind: "failed",
    error: messageOf(thrown),
    insufficientSubnets,
    ...(isThrottling(thrown) ? { throttled: true } : {}),
  };
}
