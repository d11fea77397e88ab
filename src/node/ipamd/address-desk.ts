import type { Clock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import type { Assignment, PodKey, PodMetadata, Pool, Released, RuleName } from "../../ipam/types.ts";
import type { Metrics } from "./metrics.ts";
import type { PoolLoop } from "./pool-loop.ts";

export interface AddressDeskParts {
  readonly ledger: NodeLedger;
  readonly loop: Pick<PoolLoop, "poke" | "watch" | "last" | "isGrowing">;
  /** Writes the checkpoint; resolves when it stands. */
  readonly save: () => Promise<void>;
  readonly clock: Clock;
  readonly metrics: Metrics;
  /** How long a pod may wait for an address that is on its way. */
  readonly longestWaitMs: number;
}

interface Waiter {
  readonly key: PodKey;
  readonly metadata: PodMetadata | undefined;
  readonly everyCard: boolean;
  readonly until: number;
  readonly resolve: (given: Given[]) => void;
  readonly reject: (error: EniverseError) => void;
}

interface Given {
  readonly pool: Pool;
  readonly assignment: Assignment;
  readonly fresh: boolean;
}

/** What a pod was given. */
export interface Handout {
  readonly assignments: readonly Assignment[];
  /**
   * Resolves when the checkpoint has them; the pod must not learn of its address before. Rejects with
   * `unavailable` when the checkpoint cannot be written; nothing is held then.
   */
  readonly kept: Promise<void>;
}

/**
 * Hands addresses out and takes them back. A pod for which none is there waits, first come first served, while
 * one may be on its way: growth under way or due, or an address about to end its cool-down. It is refused at once
 * when none can come in time. What was given is in the checkpoint before the pod learns of it.
 */
export class AddressDesk {
  readonly #parts: AddressDeskParts;
  #waiters: Waiter[] = [];
  #alarm: AbortController | undefined;

  constructor(parts: AddressDeskParts) {
    this.#parts = parts;
    parts.loop.watch(() => this.#serve());
  }

  /**
   * One address, or one of each card. The same key gets the same address again. Throws `exhausted` with the
   * reason when there is none.
   */
  async assign(
    key: PodKey,
    metadata: PodMetadata | undefined,
    options: { readonly everyCard: boolean },
  ): Promise<Handout> {
    const given = await this.#takeOrWait(key, metadata, options.everyCard);
    const kept = given.some(({ fresh }) => fresh) ? this.#keep(key, given) : Promise.resolve();
    // Fewer are ready now than before: the pool may be too low. After the checkpoint, which the pod waits for.
    this.#parts.loop.poke();
    return { assignments: given.map(({ assignment }) => assignment), kept };
  }

  /** False when one of them has been taken back since. */
  holds(assignments: readonly Assignment[]): boolean {
    return assignments.every((given) =>
      this.#parts.ledger.cards.some(({ pool }) => pool.lookup(given.key)?.address === given.address),
    );
  }

  async #keep(key: PodKey, given: readonly Given[]): Promise<void> {
    try {
      await this.#parts.save();
    } catch (thrown) {
      cancelFresh(key, given);
      throw thrown;
    }
  }

  /** Takes back what the key holds, on every card; empty for an unknown key. */
  async release(key: PodKey): Promise<Assignment[]> {
    const { ledger, clock, save, loop } = this.#parts;
    const released: { readonly undo: () => void; readonly held: Released }[] = [];
    this.#giveUp(key);
    const now = clock.now();
    let wanted = 1;
    for (const { pool } of ledger.cards) {
      if (released.length >= wanted) break;
      const held = pool.unassign(key, now);
      if (held === undefined) continue;
      wanted = Math.max(wanted, held.assignment.metadata?.interfaces ?? 1);
      released.push({ held, undo: () => pool.cancelUnassign(held) });
    }
    if (released.length === 0) return [];
    try {
      await save();
    } catch (thrown) {
      for (const { undo } of released) undo();
      throw thrown;
    }
    loop.poke();
    return released.map(({ held }) => held.assignment);
  }

  /** A pod that is taken down while it waits needs no address any more. */
  #giveUp(key: PodKey): void {
    const isSame = (waiter: Waiter): boolean =>
      waiter.key.containerId === key.containerId && waiter.key.ifName === key.ifName;
    const gone = this.#waiters.filter(isSame);
    if (gone.length === 0) return;
    this.#waiters = this.#waiters.filter((waiter) => !isSame(waiter));
    this.#count();
    for (const waiter of gone) {
      waiter.reject(
        new EniverseError("conflict", {
          attempted: "assign an address to a pod",
          found: "the pod was deleted while it waited for one",
        }),
      );
    }
  }

  #takeOrWait(key: PodKey, metadata: PodMetadata | undefined, everyCard: boolean): Promise<Given[]> {
    const taken = this.#mayJumpQueue(key) ? this.#take(key, metadata, everyCard) : undefined;
    if (taken !== undefined) return Promise.resolve(taken);
    this.#parts.metrics.noAvailableAddresses();
    return new Promise((resolve, reject) => {
      const until = this.#parts.clock.now() + this.#parts.longestWaitMs;
      this.#waiters.push({ key, metadata, everyCard, until, resolve, reject });
      this.#count();
      this.#parts.loop.poke();
    });
  }

  /** Nobody waits, or the pod has its address already. */
  #mayJumpQueue(key: PodKey): boolean {
    return (
      this.#waiters.length === 0 ||
      this.#parts.ledger.cards.some(({ pool }) => pool.lookup(key) !== undefined)
    );
  }

  #take(key: PodKey, metadata: PodMetadata | undefined, everyCard: boolean): Given[] | undefined {
    const { ledger, clock } = this.#parts;
    const now = clock.now();
    const given: Given[] = [];
    for (const { pool } of ledger.cards) {
      const answer = pool.assign(key, metadata, now);
      if (answer.ok) {
        given.push({ pool, assignment: answer.assignment, fresh: answer.fresh });
        if (!everyCard) return given;
      } else {
        if (everyCard) {
          cancelFresh(key, given);
          return undefined;
        }
      }
    }
    return everyCard ? given : undefined;
  }

  /** Serves who waits in turn, refuses those for whom nothing can come in time. Runs after each decision. */
  #serve(): void {
    if (this.#waiters.length === 0) return;
    const { clock, loop } = this.#parts;
    const left: Waiter[] = [];
    for (const waiter of this.#waiters) {
      // Nobody passes one who waits for the same.
      const isNext = left.every(({ everyCard }) => everyCard !== waiter.everyCard);
      const taken = isNext ? this.#take(waiter.key, waiter.metadata, waiter.everyCard) : undefined;
      if (taken === undefined) left.push(waiter);
      else waiter.resolve(taken);
    }
    const now = clock.now();
    const nextChange = loop.isGrowing ? now : this.#nextChangeAt(now);
    this.#waiters = left.filter((waiter) => {
      if (now < waiter.until && nextChange !== undefined && nextChange <= waiter.until) return true;
      waiter.reject(this.#refusal());
      return false;
    });
    this.#count();
    this.#setAlarm(now);
  }

  /** When, without any action under way, an address may come up next. */
  #nextChangeAt(now: number): number | undefined {
    const { ledger, loop } = this.#parts;
    const ready = ledger.cards.flatMap(({ pool }) => pool.nextReadyAt(now) ?? []);
    const retries = loop.last.notes.flatMap(({ rule, values }) =>
      growthPauses.includes(rule) && typeof values.until === "number" ? values.until : [],
    );
    const times = [...ready, ...retries];
    return times.length === 0 ? undefined : Math.min(...times);
  }

  #count(): void {
    const everyCard = this.#waiters.filter((waiter) => waiter.everyCard).length;
    this.#parts.ledger.waiting = { anyCard: this.#waiters.length - everyCard, everyCard };
  }

  /** Wakes when the next address is ready or the first waiter's time is over. */
  #setAlarm(now: number): void {
    this.#alarm?.abort();
    this.#alarm = undefined;
    if (this.#waiters.length === 0) return;
    const { clock, ledger } = this.#parts;
    const ready = ledger.cards.flatMap(({ pool }) => pool.nextReadyAt(now) ?? []);
    const at = Math.min(...this.#waiters.map(({ until }) => until), ...ready);
    const alarm = new AbortController();
    this.#alarm = alarm;
    clock.sleep(Math.max(at - now, 0), alarm.signal).then(
      () => this.#serve(),
      () => {},
    );
  }

  #refusal(): EniverseError {
    const { ledger, loop, clock } = this.#parts;
    const now = clock.now();
    const counts = ledger.cards
      .map(({ pool }) => {
        const stats = pool.stats(now);
        return `card ${pool.card}: ${stats.total} addresses, ${stats.assigned} assigned, ${stats.cooling} cooling`;
      })
      .join("; ");
    const rules = [...new Set(loop.last.notes.map(({ rule }) => rule))].filter((rule) => rule !== "enough");
    return new EniverseError("exhausted", {
      attempted: "assign an address to a pod",
      found: `no available IP/Prefix addresses (${counts})${rules.length === 0 ? "" : `, held back by ${rules.join(", ")}`}`,
      fix: "Ask ipamd for /v1/decisions to see which setting, limit or EC2 answer stands in the way",
    });
  }
}

/** Rules that put growth off, each with the time at which it may go on. */
const growthPauses: readonly RuleName[] = ["insufficient-back-off", "create-back-off", "retry-back-off"];

function cancelFresh(key: PodKey, given: readonly Given[]): void {
  for (const { pool, fresh } of given) if (fresh) pool.cancelAssign(key);
}
