import { describe, expect, test } from "bun:test";
import { type BurstInput, simulateBurst } from "./burst.ts";

// What a node holds at rest, by ENI: addresses, or prefixes in prefix mode; worked out from the official source, and in
// part told by its docs/eni-and-ip-target.md and docs/prefix-and-ip-target.md.
type State = readonly [pods: number, perEni: readonly number[]];
type Row = readonly [type: string, settings: Readonly<Record<string, string>>, states: readonly State[]];

const byIp = (warm: number, minimum: number) => ({
  WARM_IP_TARGET: String(warm),
  MINIMUM_IP_TARGET: String(minimum),
});
const full = (enis: number, each: number): number[] => Array<number>(enis).fill(each);

const secondaryIp: readonly Row[] = [
  [
    "t3.small",
    {},
    [
      [0, [3]],
      [3, [3, 3]],
      [5, [3, 3, 3]],
      [9, [3, 3, 3]],
    ],
  ],
  [
    "t3.small",
    byIp(1, 1),
    [
      [0, [1]],
      [3, [3, 1]],
      [5, [3, 3]],
      [7, [3, 3, 2]],
    ],
  ],
  [
    "t3.small",
    byIp(2, 5),
    [
      [0, [3, 2]],
      [5, [3, 3, 1]],
      [9, [3, 3, 3]],
    ],
  ],
  [
    "m5.large",
    {},
    [
      [0, [9]],
      [3, [9, 9]],
      [9, [9, 9]],
      [15, [9, 9, 9]],
    ],
  ],
  [
    "m5.large",
    { WARM_ENI_TARGET: "0" },
    [
      [0, [9]],
      [8, [9]],
    ],
  ],
  [
    "m5.large",
    byIp(5, 10),
    [
      [0, [9, 1]],
      [7, [9, 3]],
      [15, [9, 9, 2]],
    ],
  ],
  [
    "m5.large",
    byIp(2, 12),
    [
      [0, [9, 3]],
      [9, [9, 3]],
      [15, [9, 8]],
    ],
  ],
  [
    "m4.4xlarge",
    {},
    [
      [0, [29]],
      [3, full(2, 29)],
      [30, full(3, 29)],
      [58, full(3, 29)],
      [95, full(5, 29)],
    ],
  ],
  [
    "p3dn.24xlarge",
    byIp(5, 10),
    [
      [0, [10]],
      [7, [12]],
      [15, [20]],
      [45, [49, 1]],
    ],
  ],
];
const prefix: readonly Row[] = [
  [
    "t3.small",
    {},
    [
      [0, [1]],
      [1, [2]],
      [16, [2]],
      [17, [3]],
      [45, [3, 1]],
      [58, [3, 2]],
      [95, [3, 3, 1]],
    ],
  ],
  [
    "t3.small",
    byIp(1, 1),
    [
      [0, [1]],
      [15, [1]],
      [16, [2]],
      [58, [3, 1]],
    ],
  ],
  [
    "t3.small",
    byIp(7, 20),
    [
      [0, [2]],
      [17, [2]],
      [45, [3, 1]],
      [58, [3, 2]],
    ],
  ],
  [
    "t3.small",
    { WARM_IP_TARGET: "16" },
    [
      [0, [1]],
      [1, [2]],
    ],
  ],
];

const cases = (
  [
    ["secondary-ip", secondaryIp],
    ["prefix", prefix],
  ] as const
).flatMap(([mode, rows]) =>
  rows.flatMap(([type, settings, states]) =>
    states.map(([pods, perEni]) => ({ mode, type, settings, pods, perEni })),
  ),
);

describe.each(["official", "eniverse"] as const)("under the %s algorithm a burst comes to rest", (driver) => {
  test.each(cases)("%j", (row) => {
    const { mode, type: instanceType, settings, pods, perEni } = row;
    const input: BurstInput = { instanceType, mode, settings, pods, driver, maxPods: 250 };
    const { addressesHeld, enis } = simulateBurst(input);
    const slots = perEni.reduce((sum, count) => sum + count, 0);
    expect({ addressesHeld, enis }).toEqual({
      addressesHeld: slots * (mode === "prefix" ? 16 : 1),
      enis: perEni.length,
    });
  });
});
