/** What a run was like: plain data, the same for the same scenario and seed. */
export interface Report {
  readonly scenario: string;
  readonly description: string;
  readonly driver: string;
  readonly seed: number;
  readonly durationMs: number;
  /** Events of the virtual clock. */
  readonly events: number;
  readonly pods: {
    readonly created: number;
    /** Got an address. */
    readonly served: number;
    /** At the end: bound and without an address, and without a node. */
    readonly waitingForAddress: number;
    readonly waitingForNode: number;
    /** Times that ipamd said no and the kubelet had to try again. */
    readonly refusals: number;
  };
  /** From a pod's asking until it had its address; for those that have none, until the end of the run. */
  readonly addressWait: WaitSummary;
  readonly nodes: { readonly launched: number; readonly peak: number; readonly end: number };
  readonly enis: { readonly peak: number; readonly end: number };
  readonly subnets: readonly SubnetReport[];
  readonly ec2: {
    readonly requests: number;
    readonly throttled: number;
    readonly byAction: readonly ActionReport[];
  };
  readonly firstFailure: FailureReport | undefined;
  /** Grouped by what happened, the first that came first. */
  readonly failures: readonly FailureReport[];
  readonly series: Series;
}

export interface WaitSummary {
  readonly p50Ms: number;
  readonly p90Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  readonly meanMs: number;
  /** Pods that had to wait at all. */
  readonly waited: number;
}

/** How the addresses of a subnet are used. All counts of addresses but `freeBlocks28`. */
export interface SubnetUse {
  /** Held by pods. */
  readonly pods: number;
  /** Held by nodes, ready for pods. */
  readonly warm: number;
  /** Released by pods a moment ago. */
  readonly cooling: number;
  /** The interfaces' own, and what others use. */
  readonly other: number;
  readonly free: number;
  /** Wholly free /28 blocks: how many prefixes could be had. */
  readonly freeBlocks28: number;
}

export interface SubnetReport {
  readonly name: string;
  readonly cidr: string;
  readonly zone: string;
  readonly end: SubnetUse;
  readonly leastFree: number;
  readonly leastFreeBlocks28: number;
}

export interface ActionReport {
  readonly action: string;
  /** Requests that reached EC2, repeated ones too. */
  readonly requests: number;
  readonly throttled: number;
  /** Calls that the client gave up. */
  readonly failed: number;
}

export interface FailureReport {
  readonly what: string;
  /** The first one's reason, and where it was. */
  readonly why: string;
  readonly node: string;
  readonly firstAtMs: number;
  readonly count: number;
}

/** Numbers over time, all lists as long as `atMs`; rates are of the span that ends there. */
export interface Series {
  readonly atMs: readonly number[];
  readonly nodes: readonly number[];
  readonly enis: readonly number[];
  readonly podsRunning: readonly number[];
  readonly podsWaitingForAddress: readonly number[];
  readonly podsWaitingForNode: readonly number[];
  readonly requestsPerSecond: readonly number[];
  readonly throttledPerSecond: readonly number[];
  readonly subnets: readonly { readonly name: string; readonly use: readonly SubnetUse[] }[];
}

/** The summary of waits in any order. */
export function summarizeWaits(waitsMs: readonly number[]): WaitSummary {
  const sorted = waitsMs.toSorted((a, b) => a - b);
  const at = (share: number): number =>
    sorted[Math.min(Math.max(Math.ceil(sorted.length * share) - 1, 0), sorted.length - 1)] ?? 0;
  const sum = sorted.reduce((total, wait) => total + wait, 0);
  return {
    p50Ms: Math.round(at(0.5)),
    p90Ms: Math.round(at(0.9)),
    p99Ms: Math.round(at(0.99)),
    maxMs: Math.round(sorted.at(-1) ?? 0),
    meanMs: sorted.length === 0 ? 0 : Math.round(sum / sorted.length),
    waited: sorted.filter((wait) => wait > 0).length,
  };
}
