/** One request of a service, as it ended. */
export interface LoggedCall {
  /** When the answer left, in milliseconds since the epoch. */
  readonly at: number;
  readonly service: "ec2" | "sts" | "eks";
  readonly action: string;
  /** "Success", or the code of the error. */
  readonly code: string;
  readonly latencyMs: number;
}

/** How many calls of an action ended how. */
export interface CallCount {
  readonly service: LoggedCall["service"];
  readonly action: string;
  readonly code: string;
  readonly count: number;
}

const keptCalls = 1000;

/** What was asked of the services: counts since the start, and the latest calls. */
export class CallLog {
  readonly #counts = new Map<string, CallCount>();
  #latest: LoggedCall[] = [];

  note(call: LoggedCall): void {
    const { service, action, code } = call;
    const key = `${service}:${action}:${code}`;
    this.#counts.set(key, { service, action, code, count: (this.#counts.get(key)?.count ?? 0) + 1 });
    this.#latest.push(call);
    // Cut in halves, so that each call costs the same on the average.
    if (this.#latest.length > 2 * keptCalls) this.#latest = this.#latest.slice(-keptCalls);
  }

  counts(): readonly CallCount[] {
    return [...this.#counts.values()];
  }

  /** The latest calls, the newest last. */
  latest(): readonly LoggedCall[] {
    return this.#latest.slice(-keptCalls);
  }

  reset(): void {
    this.#counts.clear();
    this.#latest = [];
  }
}
