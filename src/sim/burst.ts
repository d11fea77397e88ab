import { EniverseError } from "../base/error.ts";
import { instanceLimits } from "../limits/instance-types.ts";
import { eniMaxPods } from "../limits/max-pods.ts";
import { completeScenario } from "./defaults.ts";
import type { DriverName } from "./scenario.ts";
import { Run } from "./simulate.ts";

export interface BurstInput {
  readonly instanceType: string;
  readonly mode: "secondary-ip" | "prefix";
  /** Variables of aws-node, as text: `{ WARM_IP_TARGET: "5" }`. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Pods that land at once on the fresh node. */
  readonly pods: number;
  /** As in `ec2.latencies` of a scenario, in milliseconds; only these, all others take no time. */
  readonly latencies?: Readonly<Record<string, number>>;
  readonly imdsLagMs?: number;
  readonly driver: DriverName;
  readonly seed?: number;
  /** The kubelet's limit: ipamd holds no more for its targets. What EKS's AMI sets for the type when absent. */
  readonly maxPods?: number;
}

export interface BurstResult {
  /** From the landing until the last pod has its address; undefined when one has none after half an hour. */
  readonly readyMs: number | undefined;
  /** Requests to EC2 from the node's start to its rest. */
  readonly ec2Calls: number;
  readonly ec2CallsByAction: Readonly<Record<string, number>>;
  /** Addresses for pods that the node holds at rest, in prefixes when it has them. */
  readonly addressesHeld: number;
  readonly enis: number;
}

/** aws-node and kube-proxy. */
const hostNetworkPods = 2;
/** ipamd starts, and the pods are there as soon as the node is ready. */
const longestMs = 1_800_000;
/** Long enough for every timer that gives something back. */
const restMs = 300_000;

/**
 * One fresh node and a burst of pods, for side-by-side tables: how soon all have addresses under ipamd of this
 * project or the official algorithm's schedule, with which calls, and what the node holds when it is at rest.
 */
export function simulateBurst(input: BurstInput): BurstResult {
  const { instanceType, mode, pods, latencies = {}, imdsLagMs = 1_000, driver, seed = 1 } = input;
  const limits = instanceLimits(instanceType);
  if (limits === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "simulate a burst of pods",
      found: `instanceType ${JSON.stringify(instanceType)}`,
      wanted: "a known instance type",
    });
  }
  const maxPods = input.maxPods ?? Math.max(eniMaxPods(limits), pods + hostNetworkPods);
  if (pods > maxPods - hostNetworkPods) {
    throw new EniverseError("invalid_argument", {
      attempted: "simulate a burst of pods",
      found: `${pods} pods, maxPods ${maxPods}`,
      wanted: `at most ${maxPods - hostNetworkPods} pods: ${hostNetworkPods} run on the node's own address`,
    });
  }
  const env = {
    ...(mode === "prefix" ? { ENABLE_PREFIX_DELEGATION: "true" } : {}),
    // Its one search an hour comes at a random time and would only blur the count.
    DISABLE_LEAKED_ENI_CLEANUP: "true",
    ...input.settings,
  };
  const none = Object.fromEntries(
    Object.keys(completeScenario({ nodeGroups: [] }).ec2.latencies).map((name) => [name, 0]),
  );
  const run = new Run(
    completeScenario({
      name: "burst",
      seed,
      driver,
      durationMs: longestMs + restMs,
      nodeGroups: [{ name: "node", instanceType, count: 1, bootMs: 0, maxPods }],
      awsNode: { env },
      scheduler: { podsPerSecond: Number.POSITIVE_INFINITY },
      workloads: [{ kind: "burst", name: "pod", atMs: 0, overMs: 0, pods }],
      ec2: { latencies: { ...none, ...latencies }, imdsLag: imdsLagMs },
    }),
  );
  let readyMs: number | undefined;
  run.start();
  const { queue, cluster, ec2 } = run;
  const startAt = queue.now;
  let landedAt: number | undefined;
  while (readyMs === undefined && queue.step(startAt + longestMs)) {
    const isUp = [...cluster.nodes].some(({ isReady }) => isReady);
    if (isUp) landedAt ??= queue.now;
    if (landedAt !== undefined && cluster.podsRunning === pods) readyMs = Math.round(queue.now - landedAt);
  }
  queue.runUntil(queue.now + restMs);
  const byAction = Object.fromEntries([...ec2.counts].map(([action, { requests }]) => [action, requests]));
  const [node] = cluster.nodes;
  return {
    readyMs,
    ec2Calls: Object.values(byAction).reduce((sum, count) => sum + count, 0),
    ec2CallsByAction: byAction,
    addressesHeld: node?.driver.pool.stats(queue.now).total ?? 0,
    enis: node?.driver.pool.enis().length ?? 0,
  };
}
