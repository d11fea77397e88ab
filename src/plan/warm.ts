import { supportsPrefixDelegation } from "../limits/instance-types.ts";
import { podAddresses } from "../limits/max-pods.ts";
import { badField, limitsOf, wholeNumber } from "./field.ts";
import { type Ec2Latencies, NodeDriver, usualLatencies } from "./node-driver.ts";
import { eventsOf, mostPods, type PodEvent, type PodPattern } from "./pod-pattern.ts";
import {
  checkModeAndWarm,
  describeWarm,
  leavesPrimaryEmpty,
  type PlanMode,
  settingsOfMode,
  usesPrefixes,
  type WarmSettings,
} from "./warm-settings.ts";

export interface PlanWarmInput {
  readonly instanceType: string;
  /** Default "secondary-ip"; IPv6 has no warm pool. */
  readonly mode?: PlanMode;
  readonly pattern: PodPattern;
  /** What to try; default a sweep that suits mode and pattern. */
  readonly candidates?: readonly WarmSettings[];
  readonly latencies?: Partial<Ec2Latencies>;
  /** IP_COOLDOWN_PERIOD; default 30. */
  readonly cooldownSeconds?: number;
  readonly maxPods?: number;
  /** How long the pattern runs, after the node has come to rest with its first pods. Default 60. */
  readonly minutes?: number;
  /** For the recommendation: 99 of 100 pods must have their address so soon. Default 1000. */
  readonly goalMs?: number;
  /** Nodes alike, for the totals of the answer. Default 1. */
  readonly nodes?: number;
  readonly seed?: number;
}

/** How one choice of settings does. */
export interface WarmRow {
  readonly warm: WarmSettings;
  readonly label: string;
  /** Addresses held without a pod, in the mean over time and at most; cooling ones are among them. */
  readonly idleMean: number;
  readonly idleMost: number;
  /** Addresses that the node took out of subnets at most, its ENIs' own included. */
  readonly heldMost: number;
  /** How long pods waited for an address, in milliseconds. */
  readonly delayP50Ms: number;
  readonly delayP99Ms: number;
  readonly delayMostMs: number;
  /** Pods that came, and of these the ones that had to wait. */
  readonly pods: number;
  readonly podsThatWaited: number;
  /** Pods without an address at the end. */
  readonly podsUnserved: number;
  readonly callsPerHour: number;
  readonly calls: Readonly<Record<string, number>>;
  /** Other choices of the sweep that came out the same in everything. */
  readonly alike: readonly string[];
  /** Nothing else in the sweep is better in one thing and no worse in the others. */
  readonly onFrontier: boolean;
}

export interface WarmAnswer {
  readonly instanceType: string;
  readonly mode: PlanMode;
  readonly nodes: number;
  /** The frontier first, the fewest idle addresses first. */
  readonly rows: readonly WarmRow[];
  readonly recommended: WarmRow;
  readonly rule: string;
  readonly explain: readonly string[];
}

/**
 * Tries warm settings on one node under a pattern of pods, with `ipam/` deciding on a virtual clock: idle
 * addresses, waits and EC2 calls, and the choices that nothing beats. Throws `invalid_argument`.
 */
export function planWarm(input: PlanWarmInput): WarmAnswer {
  const limits = limitsOf("instanceType", input.instanceType);
  const mode = input.mode ?? "secondary-ip";
  if (mode === "ipv6")
    throw badField("mode", "ipv6", "an IPv4 mode: a node of an IPv6 cluster has no warm pool");
  if (usesPrefixes(mode) && !supportsPrefixDelegation(limits)) {
    throw badField("instanceType", `${input.instanceType} in ${mode} mode`, "a Nitro or bare-metal type");
  }
  const minutes = wholeNumber("minutes", input.minutes ?? 60, 1, 1440);
  const goalMs = wholeNumber("goalMs", input.goalMs ?? 1000, 0, 600_000);
  const nodes = wholeNumber("nodes", input.nodes ?? 1, 1, 100_000);
  const latencies = { ...usualLatencies, ...input.latencies };
  for (const [name, ms] of Object.entries(latencies)) wholeNumber(`latencies.${name}`, ms, 0, 600_000);
  const events = eventsOf(input.pattern, minutes * 60_000, input.seed ?? 1);
  const most = mostPods(input.pattern, events);
  const room = podAddresses(limits, {
    prefixDelegation: usesPrefixes(mode),
    customNetworking: leavesPrimaryEmpty(mode),
  });
  if (most > room)
    throw badField(
      "pattern",
      `${most} pods at one time`,
      `at most ${room} on ${input.instanceType} in ${mode} mode`,
    );
  const candidates = input.candidates ?? sweep(mode, input.pattern.pods, most);
  if (candidates.length === 0) throw badField("candidates", "none", "one choice of settings or more");
  for (const [index, warm] of candidates.entries()) checkModeAndWarm(mode, warm, `candidates[${index}]`);
  const tried = merge(
    candidates.map((warm) => tryOut(input, mode, warm, latencies, events, minutes * 60_000)),
  );
  const rows = tried
    .map((row) => ({ ...row, onFrontier: !tried.some((other) => beats(other, row)) }))
    .sort((a, b) => Number(b.onFrontier) - Number(a.onFrontier) || a.idleMean - b.idleMean);
  const { recommended, rule } = recommend(rows, goalMs);
  return {
    instanceType: input.instanceType,
    mode,
    nodes,
    rows,
    recommended,
    rule,
    explain: [
      `${input.instanceType}, ${mode}: ${input.pattern.pods} pods at rest, at most ${most} at one time, ${minutes} minutes, ${events.reduce((sum, { arrive }) => sum + arrive.length, 0)} pods come`,
      `EC2 takes ${latencies.assignMs} ms for addresses on an ENI, ${latencies.createEniMs} ms until a new ENI serves, ${latencies.unassignMs} ms and ${latencies.freeEniMs} ms to give back`,
      ...rows.map(
        (row) =>
          `${row.label}: idle ${row.idleMean.toFixed(1)} in the mean, ${row.podsThatWaited} of ${row.pods} pods waited, p99 ${row.delayP99Ms} ms; ${
            Object.entries(row.calls)
              .map(([name, number]) => `${number} ${name}`)
              .join(", ") || "no calls"
          }`,
      ),
      rule,
    ],
  };
}

/** Settings worth a try: whole ENIs or prefixes, and address targets from tight to the pattern's own peak. */
function sweep(mode: PlanMode, pods: number, most: number): WarmSettings[] {
  const spread = Math.max(most - pods, 1);
  const byUnit: WarmSettings[] = usesPrefixes(mode)
    ? [{ warmPrefixTarget: 1 }, { warmPrefixTarget: 2 }]
    : [{ warmEniTarget: 0 }, { warmEniTarget: 1 }, { warmEniTarget: 2 }];
  const warmIps = [...new Set([1, 2, 5, 10, spread])].sort((a, b) => a - b);
  const byAddress = warmIps.flatMap((warmIpTarget) =>
    [...new Set([0, pods + warmIpTarget, most])].map(
      (minimumIpTarget): WarmSettings =>
        minimumIpTarget === 0 ? { warmIpTarget } : { warmIpTarget, minimumIpTarget },
    ),
  );
  return [...byUnit, ...byAddress];
}

function tryOut(
  input: PlanWarmInput,
  mode: PlanMode,
  warm: WarmSettings,
  latencies: Ec2Latencies,
  events: readonly PodEvent[],
  durationMs: number,
): Measured {
  const waits: number[] = [];
  const idle = { area: 0, most: 0, held: 0 };
  let start = Number.POSITIVE_INFINITY;
  const driver = new NodeDriver({
    limits: limitsOf("instanceType", input.instanceType),
    settings: settingsOfMode(mode, warm, { cooldownMs: (input.cooldownSeconds ?? 30) * 1000 }),
    latencies,
    excludesPrimary: mode === "discovery-prefix",
    ...(input.maxPods === undefined ? {} : { maxPods: input.maxPods }),
    onSpan: (from, until, { held, assigned, enis }) => {
      if (from < start) return;
      idle.area += (until - from) * (held - assigned);
      idle.most = Math.max(idle.most, held - assigned);
      idle.held = Math.max(idle.held, held + enis);
    },
    onServed: (waitedMs) => {
      if (driver.now >= start) waits.push(waitedMs);
    },
  });
  driver.settle();
  for (let pod = 0; pod < input.pattern.pods; pod++) driver.arrive(pod);
  driver.settle();
  start = driver.now;
  driver.calls.clear();
  for (const { atMs, arrive, leave, lifeMs } of events) {
    driver.advanceTo(start + atMs);
    for (const pod of leave) driver.leave(pod);
    for (const pod of arrive) driver.arrive(pod, lifeMs);
  }
  driver.advanceTo(start + durationMs);
  waits.sort((a, b) => a - b);
  const at = (share: number): number => waits[Math.max(Math.ceil(waits.length * share) - 1, 0)] ?? 0;
  const unserved = driver.holding.waiting;
  const total = [...driver.calls.values()].reduce((sum, calls) => sum + calls, 0);
  return {
    warm,
    label: describeWarm(mode, warm),
    idleMean: idle.area / durationMs,
    idleMost: idle.most,
    heldMost: idle.held,
    delayP50Ms: at(0.5),
    delayP99Ms: at(0.99),
    delayMostMs: at(1),
    pods: waits.length + unserved,
    podsThatWaited: waits.filter((wait) => wait > 0).length + unserved,
    podsUnserved: unserved,
    callsPerHour: (total * 3_600_000) / durationMs,
    calls: Object.fromEntries([...driver.calls].sort()),
  };
}

type Measured = Omit<WarmRow, "onFrontier" | "alike">;

/** Choices that came out the same are one row, under the name with the fewest settings. */
function merge(rows: readonly Measured[]): (Measured & { readonly alike: readonly string[] })[] {
  const groups = new Map<string, Measured[]>();
  for (const row of rows) {
    const { warm: _warm, label: _label, ...measured } = row;
    const key = JSON.stringify(measured);
    groups.set(key, [...(groups.get(key) ?? []), row]);
  }
  return [...groups.values()].flatMap((group) => {
    const [first, ...others] = group.toSorted(
      (a, b) => Object.keys(a.warm).length - Object.keys(b.warm).length,
    );
    return first === undefined ? [] : [{ ...first, alike: others.map(({ label }) => label) }];
  });
}

function beats(one: Measured, other: Measured): boolean {
  const costs = ({ idleMean, delayP99Ms, callsPerHour, podsUnserved }: Measured): number[] => [
    idleMean,
    delayP99Ms,
    callsPerHour,
    podsUnserved,
  ];
  const mine = costs(one);
  const theirs = costs(other);
  const noWorse = mine.every((cost, index) => cost <= (theirs[index] ?? 0) + 1e-9);
  return noWorse && mine.some((cost, index) => cost < (theirs[index] ?? 0) - 1e-9);
}

function recommend(
  rows: readonly WarmRow[],
  goalMs: number,
): { readonly recommended: WarmRow; readonly rule: string } {
  const good = rows.filter(({ delayP99Ms, podsUnserved }) => delayP99Ms <= goalMs && podsUnserved === 0);
  const order = good.length > 0 ? good : rows;
  const cost = (row: WarmRow): readonly number[] =>
    good.length > 0 ? [row.idleMean, row.callsPerHour] : [row.podsUnserved, row.delayP99Ms, row.idleMean];
  const [recommended] = order.toSorted((a, b) => {
    const [mine, theirs] = [cost(a), cost(b)];
    const first = mine.findIndex((value, index) => value !== theirs[index]);
    return first < 0 ? 0 : (mine[first] ?? 0) - (theirs[first] ?? 0);
  });
  if (recommended === undefined) throw badField("candidates", "none", "one choice of settings or more");
  const rule =
    good.length > 0
      ? `of the ${good.length} choices with a p99 of ${goalMs} ms or less, ${recommended.label} holds the fewest idle addresses (${recommended.idleMean.toFixed(1)} in the mean)`
      : `no choice reaches a p99 of ${goalMs} ms; ${recommended.label} comes nearest with ${recommended.delayP99Ms} ms`;
  return { recommended, rule };
}
