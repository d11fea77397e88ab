/**
 * `lab/why/` answers "why": why a pod waits or has the address it has, who holds an address, an ENI, a node's pool.
 * `observe.ts` looks at the lab and makes plain values; the `explain-…` files are pure and turn such a value into a
 * {@link Chain}. Each link says what is so, where that was seen, and the rule that made the next link follow.
 */

/** What can stand at the end of a chain; `causes.test.ts` and `why.live.test.ts` hold a proof of each. */
export const causes = [
  /** Nothing is wrong: the thing is as it should be. */
  "none",
  /** Nothing is wrong any more: the next try should work. */
  "in-progress",
  "no-nodes",
  "no-node-fits",
  "max-pods",
  "branch-eni-limit",
  "node-not-ready",
  "aws-node-missing",
  "network-plugin-not-ready",
  "ipamd-down",
  "eniconfig-missing",
  "missing-permission",
  "eni-limit",
  "max-eni-setting",
  "subnet-full",
  "subnet-fragmented",
  "cooldown",
  "throttled",
  "ec2-error",
  "stale-imds",
  "cordoned",
  "provisioning-disabled",
  "containers",
] as const;

export type Cause = (typeof causes)[number];

export interface Link {
  /** What is so, in one sentence. */
  readonly what: string;
  /** Where it was seen, with the words of the witness. */
  readonly evidence: string;
  /** What made it so: a rule of the scheduler, the kubelet, ipamd, EC2. */
  readonly rule: string;
  /** The setting that the rule reads, with its value. */
  readonly setting?: string;
}

export interface Chain {
  /** "pod/default/web-1". */
  readonly subject: string;
  readonly cause: Cause;
  /** The answer in one sentence. */
  readonly summary: string;
  readonly links: readonly Link[];
  /** What would change it, the nearest first; empty when nothing need change. */
  readonly change: readonly string[];
}

/** Puts a chain together from what its parts found out. */
export function chainOf(subject: string, links: readonly Link[], end: ChainEnd): Chain {
  return { subject, links: [...links, ...(end.links ?? [])], ...pick(end) };
}

/** The end of a chain: the cause and the links that lead to it. */
export interface ChainEnd {
  readonly cause: Cause;
  readonly summary: string;
  readonly change: readonly string[];
  readonly links?: readonly Link[];
}

const pick = ({ cause, summary, change }: ChainEnd) => ({ cause, summary, change });
