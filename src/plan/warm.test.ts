import { describe, expect, test } from "bun:test";
import { planWarm } from "./warm.ts";

const burst = { kind: "burst", pods: 8, burst: 12 } as const;

describe("a burst of 12 pods on m5.large", () => {
  const answer = planWarm({ instanceType: "m5.large", pattern: burst });
  const row = (label: string) =>
    answer.rows.find((each) => each.label === label || each.alike.includes(label));

  test("a whole warm ENI each time: nobody waits, and most is idle", () => {
    // 27 addresses, 8 pods and then 20: three bursts of five minutes and their cool-down in the hour.
    expect(row("WARM_ENI_TARGET=2")).toMatchObject({
      delayP99Ms: 0,
      callsPerHour: 0,
      idleMost: 19,
      onFrontier: true,
    });
  });

  test("as few as can be: pods wait for a new ENI", () => {
    expect(row("WARM_IP_TARGET=1")).toMatchObject({ delayP99Ms: 8600, podsThatWaited: 33, pods: 36 });
  });

  test("a floor of the peak is the choice: no wait, half as idle", () => {
    expect(answer.recommended.label).toBe("WARM_IP_TARGET=1 MINIMUM_IP_TARGET=20");
    expect(answer.recommended.delayP99Ms).toBe(0);
    expect(answer.recommended.idleMean).toBeLessThan((row("WARM_ENI_TARGET=2")?.idleMean ?? 0) * 0.6);
    expect(answer.rule).toContain("with a p99 of 1000 ms or less");
  });

  test("the frontier comes first, and nothing on it beats another of it", () => {
    const flags = answer.rows.map(({ onFrontier }) => onFrontier);
    expect(flags.lastIndexOf(true)).toBeLessThan(flags.indexOf(false));
  });

  test("the same seed gives the same answer", () => {
    expect(planWarm({ instanceType: "m5.large", pattern: burst })).toEqual(answer);
  });
});

test("settings that come out the same are one row under the shortest name", () => {
  const answer = planWarm({
    instanceType: "m5.large",
    mode: "prefix",
    pattern: { kind: "steady", pods: 10 },
  });
  expect(answer.rows[0]).toMatchObject({ label: "WARM_IP_TARGET=1", idleMean: 6 });
  expect(answer.rows[0]?.alike).toContain("WARM_IP_TARGET=5");
});

test("jobs each minute on a full m5.large: the cool-down starves what a slower pace would serve", () => {
  const jobs = (runsSeconds: number, cooldownSeconds: number) =>
    planWarm({
      instanceType: "m5.large",
      pattern: { kind: "jobs", pods: 8, perMinute: 24, runsSeconds },
      candidates: [{ warmEniTarget: 1 }],
      cooldownSeconds,
    }).rows[0];
  // 19 addresses for 24 jobs a minute: each is busy for 20 s and cools for 30, so 20 are needed in the mean.
  expect(jobs(20, 30)?.delayP99Ms).toBeGreaterThan(20_000);
  expect(jobs(20, 0)?.delayP99Ms).toBe(0);
});

test("a roll-out, and events one by one", () => {
  const rollout = planWarm({ instanceType: "m5.large", pattern: { kind: "rollout", pods: 16 } });
  // 27 addresses, 16 of them cooling: the last wave waits for the first to cool whatever is kept warm.
  expect(rollout.rule).toContain("no choice reaches a p99 of 1000 ms");
  const events = planWarm({
    instanceType: "m5.large",
    pattern: {
      kind: "events",
      pods: 2,
      events: [
        { atSeconds: 10, change: 20 },
        { atSeconds: 100, change: -15 },
      ],
    },
    candidates: [{ warmIpTarget: 1 }, { warmEniTarget: 2 }],
    minutes: 5,
  });
  expect(events.rows.map(({ pods }) => pods)).toEqual([20, 20]);
  const [slow, warm] = events.rows;
  expect(slow?.calls.CreateNetworkInterface).toBe(2);
  expect(warm?.podsThatWaited).toBe(0);
});

test("bad input names the field, the value and what is allowed", () => {
  const plan = (more: object) => () => planWarm({ instanceType: "m5.large", pattern: burst, ...more });
  expect(plan({ instanceType: "m5.larg" })).toThrow("did you mean");
  expect(plan({ mode: "ipv6" })).toThrow("has no warm pool");
  expect(plan({ pattern: { kind: "burst", pods: 20, burst: 20 } })).toThrow(
    "pattern: 40 pods at one time; wanted at most 27",
  );
  expect(plan({ pattern: { kind: "jobs", pods: 1, perMinute: 0 } })).toThrow("pattern.perMinute: 0");
  const late = [
    { atSeconds: 9, change: 1 },
    { atSeconds: 3, change: 1 },
  ];
  expect(plan({ pattern: { kind: "events", pods: 1, events: late } })).toThrow(
    "pattern.events[1].atSeconds: 3; wanted a time of 9 or more",
  );
  expect(plan({ pattern: { kind: "events", pods: 1, events: [{ atSeconds: 1, change: -2 }] } })).toThrow(
    "so many pods are there",
  );
  expect(plan({ candidates: [{ warmIpTarget: -1 }] })).toThrow(
    "candidates[0].warmIpTarget (WARM_IP_TARGET): -1",
  );
  expect(plan({ minutes: 0 })).toThrow("minutes: 0; wanted a whole number of 1 to 1440");
  expect(plan({ latencies: { assignMs: -5 } })).toThrow("latencies.assignMs: -5");
});
