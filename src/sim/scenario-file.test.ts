import { describe, expect, test } from "bun:test";
import { readTrace } from "./csv-trace.ts";
import { readScenario } from "./scenario-file.ts";
import { formatSpan, parseSpan } from "./time-span.ts";

const none = (): string => "";
const read = (text: string): ReturnType<typeof readScenario> => readScenario(text, "s.yaml", none);

describe("readScenario", () => {
  test("fills in what is left out", () => {
    const scenario = read("duration: 1m30s\nnodeGroups: [{ name: a, count: 2 }]\n");
    expect(scenario).toMatchObject({ name: "s", durationMs: 90_000, driver: "eniverse", seed: 1 });
    expect(scenario.nodeGroups[0]).toMatchObject({ instanceType: "m5.large", min: 2, max: 2 });
    expect(scenario.ec2).toMatchObject({ throttling: true, imdsLag: 1000 });
  });

  test("an empty file is a scenario too", () => {
    expect(read("").nodeGroups).toHaveLength(1);
  });

  const wrong: readonly (readonly [string, string, string])[] = [
    ["an unknown field", "seed: 1\ncolour: red\n", "line 2: an unknown field colour; wanted one of"],
    ["a wrong type", "duration: 5\n", "line 1: duration = 5"],
    ["bad YAML", "a: [1\n", "s.yaml, line"],
    ["an unknown instance type", "nodeGroups: [{ name: a, instanceType: m5.lage }]\n", "m5.large"],
    ["a negative count", "nodeGroups:\n  - { name: a, count: -1 }\n", "line 2"],
    [
      "a count beyond max",
      "nodeGroups: [{ name: a, count: 5, max: 3, min: 1 }]\n",
      "between min (1) and max (3)",
    ],
    ["an unknown subnet", "nodeGroups: [{ name: a, subnets: [x] }]\n", "private-us-west-2a"],
    [
      "subnets that overlap",
      "vpc:\n  cidrs: [10.0.0.0/16]\n  subnets:\n    - { name: a, zone: us-west-2a, cidr: 10.0.0.0/20 }\n    - { name: b, zone: us-west-2b, cidr: 10.0.8.0/24 }\n",
      "a block apart from 10.0.0.0/20 of a",
    ],
    [
      "a subnet outside of the VPC",
      "vpc:\n  cidrs: [10.0.0.0/16]\n  subnets: [{ name: a, zone: us-west-2a, cidr: 10.1.0.0/20 }]\n",
      "a block inside 10.0.0.0/16",
    ],
    ["an unknown variable", "awsNode: { env: { WARM_POOL: '1' } }\n", "WARM_IP_TARGET"],
    ["a variable that is no number", "awsNode: { env: { WARM_IP_TARGET: many } }\n", "a whole number"],
    [
      "settings that contradict",
      "awsNode: { env: { AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: 'true' } }\n",
      "one for every zone that has nodes",
    ],
    [
      "prefixes with every target at 0",
      "awsNode: { env: { ENABLE_PREFIX_DELEGATION: 'true', WARM_PREFIX_TARGET: '0' } }\n",
      "one of them above 0",
    ],
    [
      "a burst after the end",
      "duration: 10m\nworkloads: { bursts: [{ name: b, at: 11m, pods: 1 }] }\n",
      "workloads (b).at: 11m; wanted within the duration, 10m",
    ],
    [
      "roll-outs out of order",
      "workloads: { deployments: [{ name: w, replicas: 1, rollouts: [5m, 1m] }] }\n",
      "workloads (w).rollouts.1: 1m, out of order; wanted 5m or later",
    ],
    [
      "changes of size out of order",
      "workloads: { deployments: [{ name: w, replicas: 1, scale: [{ at: 5m, replicas: 2 }, { at: 1m, replicas: 3 }] }] }\n",
      "workloads (w).scale.1: 1m, out of order",
    ],
    [
      "a latency of no action",
      "ec2: { latencies: { RunInstances: 5 } }\n",
      "ec2.latencies: RunInstances; wanted one of CreateNetworkInterface",
    ],
    [
      "a bucket of no action",
      "ec2: { throttling: { attach: { size: 1, refillPerSecond: 1 } } }\n",
      "ec2.throttling: attach; wanted one of",
    ],
    [
      "a fault of calls that nobody makes",
      "faults: { calls: [{ action: '*Volume', at: 1s }] }\n",
      "faults.calls.action: *Volume; wanted one of",
    ],
    [
      "a fault after the end",
      "duration: 1m\nfaults: { calls: [{ action: 'Attach*', at: 90s }] }\n",
      "faults.calls.at: 1m 30s; wanted within the duration, 1m",
    ],
    [
      "two workloads of a name",
      "workloads:\n  bursts: [{ name: a, pods: 1 }, { name: a, pods: 2 }]\n",
      "every name once",
    ],
    [
      "a fault in an unknown subnet",
      "faults: { fills: [{ subnet: x, at: 1s, used: 5 }] }\n",
      "faults.fills.subnet",
    ],
  ];
  test.each(wrong)("refuses %s", (_what, text, words) => {
    expect(() => read(text)).toThrow(words);
  });
});

describe("readTrace", () => {
  test("reads events in order", () => {
    expect(readTrace("time,action,pod\n0,add,a\n# later\n1.5,remove,a\n", "t.csv")).toEqual([
      { atMs: 0, action: "add", pod: "a" },
      { atMs: 1500, action: "remove", pod: "a" },
    ]);
  });

  test.each([
    ["time,pod\n", "the header time,action,pod"],
    ["time,action,pod\n2,add,a\n1,add,b\n", "line 3: time 1, out of order; wanted 2 or later"],
    ["time,action,pod\n1,remove,a\n", "a pod that was added before"],
    ["time,action,pod\n1,add,a\n1,add,a\n", "there already"],
    ["time,action,pod\n-1,add,a\n", "seconds"],
    ["time,action,pod\n1,kill,a\n", "add or remove"],
  ])("refuses %j", (text, words) => {
    expect(() => readTrace(text, "t.csv")).toThrow(words);
  });
});

test("time spans are read and written", () => {
  expect(["250ms", "90s", "1m30s", "1h", "1.5s"].map((text) => parseSpan(text, "x"))).toEqual([
    250, 90_000, 90_000, 3_600_000, 1500,
  ]);
  expect([0, 250, 2_500, 90_000, 3_600_000, 3_690_000].map(formatSpan)).toEqual([
    "0 ms",
    "250 ms",
    "2.5 s",
    "1m 30s",
    "1h",
    "1h 1m",
  ]);
  expect(() => parseSpan("5 s", "duration")).toThrow("read duration");
});
