/** One invariant that does not hold, at one place. */
export interface Broken {
  /** Number of the invariant: see `invariants.ts`. */
  readonly invariant: number;
  /** What must hold. */
  readonly rule: string;
  /** What it is about: the same words as long as the same thing is broken. */
  readonly subject: string;
  /** What was seen where. */
  readonly evidence: string;
  /** What the reader can do about it. */
  readonly fix: string;
}

/** What a comparison finds; the invariant's number and rule are added by `invariants.ts`. */
export type Finding = Omit<Broken, "invariant" | "rule">;
