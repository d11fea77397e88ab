import { EniverseError } from "../base/error.ts";
import type { Random } from "../base/random.ts";
import { retryPause } from "./retry-pause.ts";
import { roomAfterGift, roomAfterRefusal, type SubnetRoom } from "./subnet-room.ts";
import {
  type Action,
  type CardState,
  type InFlight,
  type NodeState,
  type Outcome,
  type PlannedAction,
  type Pool,
  retryKey,
} from "./types.ts";

/** How long a block that was given back may not be taken for one of ours again, in milliseconds. */
export const freedMemoryMs = 60_000;

interface Failures {
  readonly count: number;
  readonly lastAt: number;
  readonly retryAt: number;
}

/**
 * The books of one node: {@link NodeState} for `decide`, kept up to date by announcing each action with `begin`
 * and closing it with `finish`. What is given back leaves its pool at `begin`, so that no pod gets it meanwhile.
 */
export class NodeLedger implements NodeState {
  readonly cards: CardState[];
  waiting: NodeState["waiting"] = { anyCard: 0, everyCard: 0 };
  cordoned = false;
  terminating = false;
  maxPods: number | undefined;
  newEniSubnets: readonly string[] | undefined;
  trunkRequested = false;
  lastDecreaseAt: number | undefined;
  newEniRoom: SubnetRoom | undefined;
  /** When the pool was last changed by an action or a reconcile. */
  lastPoolActionAt: number | undefined;
  readonly subnetRoom = new Map<string, SubnetRoom>();
  readonly #failures = new Map<string, Failures>();
  readonly #freedAt = new Map<string, number>();
  readonly #inFlight = new Map<number, InFlight>();
  readonly #random: Pick<Random, "next">;
  #nextId = 1;

  /** `random` spreads retries; nodes of one account must not share its seed. */
  constructor(cards: readonly CardState[], random: Pick<Random, "next">) {
    this.cards = [...cards];
    this.#random = random;
  }

  get inFlight(): InFlight[] {
    return [...this.#inFlight.values()];
  }

  get retryAt(): ReadonlyMap<string, number> {
    return new Map(Array.from(this.#failures, ([key, { retryAt }]) => [key, retryAt]));
  }

  /** Throws `not_found` for a card that is not managed. */
  pool(card: number): Pool {
    const state = this.cards.find(({ pool }) => pool.card === card);
    if (state !== undefined) return state.pool;
    throw new EniverseError("not_found", { attempted: `find the pool of network card ${card}` });
  }

  setUnmanagedEnis(card: number, count: number): void {
    const index = this.cards.findIndex(({ pool }) => pool.card === card);
    this.cards[index] = { pool: this.pool(card), unmanagedEnis: count };
  }

  /**
   * Announces an action. What is to be carried out is in the answer: blocks that a pod has taken since the
   * decision are not in it, and when nothing is left there is no answer.
   */
  begin({ action, reason }: PlannedAction, now: number): InFlight | undefined {
    const remaining = this.#takeOut(action, now);
    if (remaining === undefined) return undefined;
    if (remaining.kind === "unassign" && reason.rule === "above-target") this.lastDecreaseAt = now;
    const inFlight: InFlight = { id: this.#nextId++, action: remaining, startedAt: now };
    this.#inFlight.set(inFlight.id, inFlight);
    return inFlight;
  }

  /** Closes an action and books its outcome; throws `not_found` for an id that is not in flight. */
  finish(id: number, outcome: Outcome, now: number): void {
    const inFlight = this.#inFlight.get(id);
    if (inFlight === undefined) {
      throw new EniverseError("not_found", {
        attempted: `finish action ${id}`,
        found: "it is not in flight",
      });
    }
    this.#inFlight.delete(id);
    const { action } = inFlight;
    this.lastPoolActionAt = now;
    if (outcome.kind === "failed") {
      this.#bookFailure(inFlight, outcome, now);
      return;
    }
    this.#failures.delete(retryKey(action));
    if (outcome.kind === "assigned" && action.kind === "assign") {
      this.#bookGift(action.subnetId, outcome.addresses.length + outcome.prefixes.length, now);
      this.#addBlocks(action.card, action.eniId, outcome.addresses, outcome.prefixes);
    } else if (outcome.kind === "created") {
      const slots = slotsOf(action);
      this.newEniRoom = roomAfterGift(this.newEniRoom, slots, now);
      this.#bookGift(outcome.eni.subnetId, slots, now);
      const pool = this.pool(action.card);
      // A reconcile may have been quicker.
      if (pool.eni(outcome.eni.id) === undefined) pool.addEni(outcome.eni, now);
      this.#addBlocks(action.card, outcome.eni.id, outcome.addresses, outcome.prefixes);
    } else if (action.kind === "unassign") {
      for (const block of [...action.addresses, ...action.prefixes]) this.#freedAt.set(block, now);
    } else if (action.kind === "request-trunk") {
      this.trunkRequested = true;
    }
  }

  /** True when the block ("10.0.1.17/32") was given back so recently that IMDS may still show it. */
  wasJustFreed(block: string, now: number): boolean {
    for (const [freed, at] of this.#freedAt) {
      if (now - at > freedMemoryMs) this.#freedAt.delete(freed);
    }
    return this.#freedAt.has(block);
  }

  #takeOut(action: Action, now: number): Action | undefined {
    if (action.kind === "free-eni") {
      const pool = this.pool(action.card);
      const eni = pool.eni(action.eniId);
      if (eni === undefined || eni.assigned > 0) return undefined;
      pool.removeEni(action.eniId);
      return action;
    }
    if (action.kind !== "unassign") return action;
    const pool = this.pool(action.card);
    const remove = (block: string): boolean => {
      const held = pool.eni(action.eniId)?.cidr(block);
      if (held === undefined || held.assigned > 0) return false;
      pool.removeCidr(action.eniId, block);
      this.#freedAt.set(block, now);
      return true;
    };
    const addresses = action.addresses.filter(remove);
    const prefixes = action.prefixes.filter(remove);
    return addresses.length + prefixes.length === 0 ? undefined : { ...action, addresses, prefixes };
  }

  #addBlocks(card: number, eniId: string, addresses: readonly string[], prefixes: readonly string[]): void {
    const pool = this.pool(card);
    for (const block of [...addresses.map(singleBlock), ...prefixes]) {
      this.#freedAt.delete(block);
      if (pool.eni(eniId) === undefined || pool.eni(eniId)?.cidr(block) !== undefined) continue;
      pool.addCidr(eniId, block);
    }
  }

  #bookGift(subnetId: string, slots: number, now: number): void {
    const room = roomAfterGift(this.subnetRoom.get(subnetId), slots, now);
    if (room === undefined) this.subnetRoom.delete(subnetId);
    else this.subnetRoom.set(subnetId, room);
  }

  #bookFailure({ action, startedAt }: InFlight, failure: Failure, now: number): void {
    const slots = slotsOf(action);
    for (const subnetId of failure.insufficientSubnets)
      this.subnetRoom.set(subnetId, roomAfterRefusal(this.subnetRoom.get(subnetId), slots, now));
    if (failure.insufficientSubnets.length > 0) {
      if (action.kind === "create-eni") this.newEniRoom = roomAfterRefusal(this.newEniRoom, slots, now);
      return;
    }
    const key = retryKey(action);
    const before = this.#failures.get(key);
    // Those that were under way together fail together: that is one failure.
    if (before !== undefined && startedAt < before.lastAt) return;
    const count = (before?.count ?? 0) + 1;
    const retryAt = now + retryPause(count, failure.throttled === true, this.#random);
    this.#failures.set(key, { count, lastAt: now, retryAt });
  }
}

type Failure = Extract<Outcome, { kind: "failed" }>;

/** Addresses or prefixes that an action takes from its subnet; an ENI's own address is one of the addresses. */
function slotsOf(action: Action): number {
  if (action.kind === "assign") return action.count;
  if (action.kind !== "create-eni") return 0;
  return action.count + (action.what === "addresses" ? 1 : 0);
}

/** The block of a single address: "10.0.1.17" is "10.0.1.17/32". */
export function singleBlock(address: string): string {
  return `${address}/32`;
}
