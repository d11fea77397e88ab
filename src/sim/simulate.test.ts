import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { checkCloud } from "../cloud/model/invariants.ts";
import { checkPool } from "../ipam/check-pool.ts";
import { simulateBurst } from "./burst.ts";
import { completeScenario, type ScenarioInput } from "./defaults.ts";
import { htmlReport } from "./html/page.ts";
import { readScenario } from "./scenario-file.ts";
import { Run, simulate } from "./simulate.ts";

const scenarios = join(import.meta.dir, "../../scenarios");

/** Two nodes in one /24 each, nothing random about where addresses lie. */
function small(more: Partial<ScenarioInput> = {}): ReturnType<typeof completeScenario> {
  return completeScenario({
    name: "small",
    durationMs: 300_000,
    nodeGroups: [{ name: "n", count: 2, bootMs: 10_000 }],
    awsNode: { env: { DISABLE_LEAKED_ENI_CLEANUP: "true" } },
    ...more,
  });
}

describe("simulate", () => {
  test("idle nodes come to rest at the steady state of the default settings", () => {
    const report = simulate(small());
    // m5.large: 10 addresses an ENI. The primary's nine are the warm ENI that the default wants.
    expect(report.enis.end).toBe(2);
    expect(report.subnets.map(({ end }) => end.warm)).toEqual([9, 9]);
    expect(report.ec2.byAction.map(({ action, requests }) => [action, requests])).toEqual([
      ["DescribeNetworkInterfaces", 4],
      ["AssignPrivateIpAddresses", 2],
      ["CreateTags", 2],
      ["DescribeSubnets", 2],
    ]);
    expect(report.firstFailure).toBeUndefined();
  });

  test("pods get addresses, and the wait is that of the calls it takes", () => {
    const workloads = [{ kind: "burst", name: "web", atMs: 60_000, overMs: 0, pods: 30 }] as const;
    const report = simulate(small({ workloads }));
    expect(report.pods).toMatchObject({ created: 30, served: 30, waitingForAddress: 0, refusals: 0 });
    // Create, attach and the device's appearance: 400 + 300 + 2000 ms, and DescribeSubnets before.
    expect(report.addressWait.maxMs).toBeGreaterThan(2_700);
    expect(report.addressWait.maxMs).toBeLessThan(3_500);
    expect(report.subnets.reduce((sum, { end }) => sum + end.pods, 0)).toBe(30);
  });

  test("what the pools hold and what EC2 has agree, through roll-outs, faults and interruptions", () => {
    const run = new Run(
      small({
        durationMs: 900_000,
        nodeGroups: [{ name: "n", count: 4, bootMs: 5_000, min: 2, max: 6, scaleDownAfterMs: 60_000 }],
        workloads: [
          {
            kind: "deployment",
            name: "web",
            atMs: 30_000,
            replicas: 70,
            scale: [{ atMs: 500_000, replicas: 5 }],
            rolloutsMs: [100_000, 110_000, 300_000],
            maxSurge: 0.25,
            maxUnavailable: 0.25,
          },
          {
            kind: "jobs",
            name: "job",
            everyMs: 20_000,
            pods: 7,
            durationMs: 15_000,
            fromMs: 0,
            untilMs: 400_000,
          },
        ],
        faults: [
          {
            kind: "calls",
            atMs: 100_000,
            untilMs: 200_000,
            action: "*",
            rate: 0.3,
            errorCode: "InternalError",
            delayMs: 500,
          },
          { kind: "interruption", atMs: 250_000, nodeGroup: "n", nodes: 2 },
        ],
      }),
    );
    run.play();
    expect(checkCloud(run.ec2.state)).toEqual([]);
    expect(run.cluster.nodes.size).toBeGreaterThan(1);
    for (const { driver, instanceId } of run.cluster.nodes) {
      expect(checkPool(driver.pool, run.queue.now)).toEqual([]);
      const attached = run.ec2.state.instances.get(instanceId)?.eniIds.toSorted();
      expect(
        driver.pool
          .enis()
          .map(({ id }) => id)
          .toSorted(),
      ).toEqual(attached ?? []);
      for (const eni of driver.pool.enis()) {
        expect(eni.cidrCount).toBe((run.ec2.state.enis.get(eni.id)?.addresses.length ?? 0) - 1);
      }
    }
    expect(run.cluster.podsRunning).toBe(5);
    expect(run.report().pods).toMatchObject({ waitingForAddress: 0, waitingForNode: 0 });
  });

  test("a full subnet is the first failure, and its cause is told", () => {
    const report = simulate(
      small({
        vpc: {
          cidrs: ["10.0.0.0/16"],
          subnets: [
            {
              name: "tiny",
              zone: "us-west-2a",
              cidr: "10.0.0.0/27",
              tags: {},
              reservations: [],
              usedPercent: 0,
            },
          ],
        },
        workloads: [{ kind: "burst", name: "web", atMs: 60_000, overMs: 0, pods: 40 }],
      }),
    );
    expect(report.firstFailure?.what).toContain("InsufficientFreeAddressesInSubnet");
    expect(report.pods.waitingForAddress).toBeGreaterThan(0);
    expect(report.subnets[0]?.leastFree).toBeLessThan(9);
    expect(report.addressWait.maxMs).toBeGreaterThan(200_000);
  });

  test("the autoscaler launches nodes for pods that fit nowhere, and ends those that stay empty", () => {
    const workloads = [
      { kind: "burst", name: "web", atMs: 0, overMs: 0, pods: 100, lifetimeMs: 60_000 },
    ] as const;
    const group = { name: "n", count: 0, min: 0, max: 10, bootMs: 20_000, scaleDownAfterMs: 60_000 };
    const report = simulate(small({ durationMs: 600_000, nodeGroups: [group], workloads }));
    expect(report.pods.served).toBe(100);
    expect(report.nodes).toEqual({ launched: 4, peak: 4, end: 0 });
    expect(report.enis.end).toBe(0);
  });

  test("the account's buckets throttle, and the SDK tries again", () => {
    const report = simulate(
      small({
        nodeGroups: [{ name: "n", count: 40, bootMs: 0 }],
        ec2: { buckets: { AssignPrivateIpAddresses: { size: 5, refillPerSecond: 1 } } },
      }),
    );
    const assign = report.ec2.byAction.find(({ action }) => action === "AssignPrivateIpAddresses");
    expect(assign?.throttled).toBeGreaterThan(0);
    // Five at once and one a second after that; nodes that got none took an ENI instead.
    expect((assign?.requests ?? 0) - (assign?.throttled ?? 0)).toBeLessThan(40);
    expect(report.subnets.reduce((sum, { end }) => sum + end.warm, 0)).toBeGreaterThanOrEqual(40 * 9);
    expect(report.failures.some(({ what }) => what.includes("RequestLimitExceeded"))).toBe(true);
  });

  test("the same seed gives the same report, another one another", () => {
    const workloads = [
      { kind: "jobs", name: "j", everyMs: 30_000, pods: 25, durationMs: 9_000, fromMs: 0, untilMs: 300_000 },
    ] as const;
    const play = (seed: number): string => JSON.stringify(simulate(small({ seed, workloads })));
    expect(play(7)).toBe(play(7));
    expect(play(7)).not.toBe(play(8));
  });

  test("time grows with events, not with their square", () => {
    const play = (count: number): number =>
      simulate(
        small({
          durationMs: 120_000,
          nodeGroups: [{ name: "n", count, bootMs: 10_000 }],
          workloads: [{ kind: "burst", name: "web", atMs: 30_000, overMs: 60_000, pods: 8 * count }],
          ec2: { throttling: false },
        }),
      ).events;
    expect(play(80) / play(40)).toBeCloseTo(2, 1);
  });
});

describe("the shipped scenarios", () => {
  const files = readdirSync(scenarios).filter((name) => name.endsWith(".yaml"));
  test("there are some", () => expect(files.length).toBeGreaterThanOrEqual(5));
  test.each(files)("%s parses, and its first minutes run", (name) => {
    const text = readFileSync(join(scenarios, name), "utf8");
    const scenario = readScenario(text, name, (path) => readFileSync(join(scenarios, path), "utf8"));
    expect(`${scenario.name}.yaml`).toBe(name);
    const report = simulate({ ...scenario, durationMs: 150_000, sampleMs: 30_000 });
    expect(report.nodes.peak).toBeGreaterThan(0);
    expect(report.pods.created).toBeGreaterThan(0);
    expect(htmlReport([report])).toContain("</html>");
  });
});

describe("simulateBurst", () => {
  const latencies = { CreateNetworkInterface: 400, attach: 2000, AssignPrivateIpAddresses: 300 };
  const warmth = [{}, { WARM_IP_TARGET: "5" }, { WARM_IP_TARGET: "2", MINIMUM_IP_TARGET: "10" }];
  const rows = (["secondary-ip", "prefix"] as const).flatMap((mode) =>
    warmth.flatMap((settings) => [234, 110].map((maxPods) => ({ mode, settings, maxPods }))),
  );

  test.each(rows)("ours is quicker, and no more is called or held: %j", (row) => {
    const [ours, official] = (["eniverse", "official"] as const).map((driver) =>
      simulateBurst({ instanceType: "m5.4xlarge", pods: 100, latencies, driver, ...row }),
    );
    if (ours?.readyMs === undefined || official?.readyMs === undefined) throw new Error("pods are not ready");
    expect(official.readyMs).toBeGreaterThan(5_000);
    expect(ours.readyMs).toBeLessThan(official.readyMs / 3);
    expect(ours.ec2Calls).toBeLessThanOrEqual(official.ec2Calls);
    expect(ours.addressesHeld).toBeGreaterThanOrEqual(100);
    expect(ours.addressesHeld).toBeLessThanOrEqual(official.addressesHeld);
  });

  test("refuses more pods than the node may have", () => {
    const wish = { instanceType: "m5.large", mode: "prefix", pods: 100, driver: "official" } as const;
    expect(() => simulateBurst({ ...wish, maxPods: 29 })).toThrow("at most 27 pods");
  });

  test("refuses an unknown type", () => {
    expect(() => simulateBurst({ instanceType: "x", mode: "prefix", pods: 1, driver: "official" })).toThrow(
      "a known instance type",
    );
  });
});
