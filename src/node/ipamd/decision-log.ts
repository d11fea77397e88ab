import type { Action, Outcome, PlannedAction, Reason } from "../../ipam/types.ts";

/** One thing that was decided, as `/v1/decisions` shows it. */
export interface DecisionEntry {
  /** RFC 3339. */
  readonly time: string;
  readonly kind: "action" | "not-done";
  readonly reason: Reason;
  readonly action?: Action;
  /** Absent while the action is under way. */
  readonly outcome?: Outcome;
  readonly tookMs?: number;
}

const kept = 200;

/** The last decisions with their reasons. What is said again without a change in between is noted once. */
export class DecisionLog {
  #entries: DecisionEntry[] = [];
  #lastNotes = "";

  /** Notes an action; the function that is returned notes how it ended. */
  action(planned: PlannedAction, now: number): (outcome: Outcome, now: number) => void {
    const entry: { -readonly [K in keyof DecisionEntry]: DecisionEntry[K] } = {
      time: new Date(now).toISOString(),
      kind: "action",
      reason: planned.reason,
      action: planned.action,
    };
    this.#keep(entry);
    return (outcome, end) => {
      entry.outcome = outcome;
      entry.tookMs = end - now;
    };
  }

  /** Notes what was considered and not done. */
  notDone(notes: readonly Reason[], now: number): void {
    const text = JSON.stringify(notes);
    if (text === this.#lastNotes) return;
    this.#lastNotes = text;
    for (const reason of notes) this.#keep({ time: new Date(now).toISOString(), kind: "not-done", reason });
  }

  /** Oldest first. */
  entries(): readonly DecisionEntry[] {
    return this.#entries;
  }

  #keep(entry: DecisionEntry): void {
    this.#entries.push(entry);
    if (this.#entries.length > kept) this.#entries = this.#entries.slice(-kept);
  }
}
