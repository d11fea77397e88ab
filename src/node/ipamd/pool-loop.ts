import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";
import { decide } from "../../ipam/decide.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import type { Settings } from "../../ipam/settings.ts";
import type { Action, Decision, InFlight, Outcome, PlannedAction } from "../../ipam/types.ts";
import type { DecisionLog } from "./decision-log.ts";
import type { Metrics } from "./metrics.ts";

export interface PoolLoopParts {
  readonly ledger: NodeLedger;
  readonly settings: Settings;
  /** Carries one action out; must not reject. */
  readonly carryOut: (action: Action) => Promise<Outcome>;
  readonly decisions: DecisionLog;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics: Metrics;
}

/** An action that ended, for those who watch the loop. */
export interface Ended {
  readonly action: Action;
  readonly outcome: Outcome;
}

/**
 * Keeps the pool as the decision core wants it: on every event (a pod waits, an address came back, an action
 * ended, the time that the core named) the core is asked at once, and all its actions are carried out in
 * parallel. What is to be done, and when, is the core's business alone.
 */
export class PoolLoop {
  readonly #parts: PoolLoopParts;
  readonly #watchers = new Set<(ended: Ended | undefined) => void>();
  #isAsked = false;
  #isStopped = false;
  #timer: AbortController | undefined;
  #running = new Set<Promise<void>>();
  #last: Decision = { actions: [], notes: [], wakeAt: undefined };

  constructor(parts: PoolLoopParts) {
    this.#parts = parts;
  }

  /** Something happened that may change what is to be done. Several calls in one turn are one question. */
  poke(): void {
    if (this.#isAsked || this.#isStopped) return;
    this.#isAsked = true;
    // After what is under way in this turn and came in with the next: a pod that has its address waits for its
    // checkpoint and for the policy agent's answer, and not for this.
    setImmediate(() =>
      setImmediate(() => {
        this.#isAsked = false;
        if (!this.#isStopped) this.#decide();
      }),
    );
  }

  /** Calls back after each decision, and with each action that ended; returns a function that ends this. */
  watch(watcher: (ended: Ended | undefined) => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** What was decided last. */
  get last(): Decision {
    return this.#last;
  }

  /** True while an action is under way that may bring addresses, or is about to be decided on. */
  get isGrowing(): boolean {
    return (
      this.#isAsked ||
      this.#parts.ledger.inFlight.some(
        ({ action }) => action.kind === "assign" || action.kind === "create-eni",
      )
    );
  }

  /** Decides no more, and waits until what is under way has ended, `limitMs` at the most. */
  async stop(limitMs: number): Promise<void> {
    this.#isStopped = true;
    this.#timer?.abort();
    const limit = new AbortController();
    const late = this.#parts.clock.sleep(limitMs, limit.signal).catch(() => {});
    await Promise.race([Promise.all(this.#running), late]);
    limit.abort();
  }

  #decide(): void {
    const { ledger, settings, clock, decisions } = this.#parts;
    const now = clock.now();
    this.#last = decide(ledger, settings, now);
    decisions.notDone(this.#last.notes, now);
    for (const planned of this.#last.actions) this.#start(planned, now);
    this.#wakeAt(this.#last.wakeAt, now);
    this.#tell(undefined);
  }

  #start(planned: PlannedAction, now: number): void {
    const { ledger, decisions, log } = this.#parts;
    const inFlight = ledger.begin(planned, now);
    if (inFlight === undefined) return;
    const { action } = inFlight;
    log("info", "pool action", { action, rule: planned.reason.rule, values: planned.reason.values });
    const ended = decisions.action({ action, reason: planned.reason }, now);
    const run = this.#run(inFlight, ended).finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  async #run(inFlight: InFlight, ended: (outcome: Outcome, now: number) => void): Promise<void> {
    const { ledger, clock, log, metrics, carryOut } = this.#parts;
    const { action } = inFlight;
    const isGrowth = action.kind === "assign" || action.kind === "create-eni";
    const endProgress = metrics.inProgress(isGrowth ? "increaseDatastorePool" : "decreaseDatastorePool");
    let outcome: Outcome;
    try {
      outcome = await carryOut(action);
    } catch (thrown) {
      outcome = { kind: "failed", error: messageOf(thrown), insufficientSubnets: [] };
    }
    endProgress();
    const now = clock.now();
    ended(outcome, now);
    const tookMs = now - inFlight.startedAt;
    if (outcome.kind === "failed")
      log("warn", "pool action failed", { action, error: outcome.error, tookMs });
    else log("debug", "pool action done", { action, outcome, tookMs });
    ledger.finish(inFlight.id, outcome, now);
    // First: whoever is told must not take a failure for the last word.
    this.poke();
    this.#tell({ action, outcome });
  }

  #wakeAt(time: number | undefined, now: number): void {
    this.#timer?.abort();
    this.#timer = undefined;
    if (time === undefined) return;
    const timer = new AbortController();
    this.#timer = timer;
    this.#parts.clock.sleep(Math.max(time - now, 0), timer.signal).then(
      () => this.poke(),
      () => {},
    );
  }

  #tell(ended: Ended | undefined): void {
    for (const watcher of [...this.#watchers]) watcher(ended);
  }
}
