import { describe, expect, test } from "bun:test";
import { checkPool } from "./check-pool.ts";
import { FakeCloud } from "./fake-cloud.ts";
import type { SettingsInput } from "./settings.ts";

const t3small = { enis: 3, ipv4PerEni: 4 };
const m5large = { enis: 3, ipv4PerEni: 10 };
const m44xlarge = { enis: 8, ipv4PerEni: 30 };
const p3dn = { enis: 15, ipv4PerEni: 50 };

const byEni = (warmEniTarget: number): SettingsInput => ({ warmEniTarget });
const byIp = (warmIpTarget: number, minimumIpTarget: number): SettingsInput => ({
  warmIpTarget,
  minimumIpTarget,
});
const byPrefix = (warmPrefixTarget: number): SettingsInput => ({ prefixDelegation: true, warmPrefixTarget });
const prefixByIp = (warmIp: number, minimumIp: number): SettingsInput => ({
  prefixDelegation: true,
  ...byIp(warmIp, minimumIp),
});
const full = (count: number, slots: number): number[] => new Array<number>(count).fill(slots);

/** Pods on the node, and the addresses (or prefixes) per ENI that it comes to rest with. */
type States = readonly (readonly [pods: number, slots: readonly number[]])[];

const table: readonly (readonly [string, { enis: number; ipv4PerEni: number }, SettingsInput, States])[] = [
  [
    "t3.small E=1",
    t3small,
    byEni(1),
    [
      [0, [3]],
      [3, [3, 3]],
      [5, [3, 3, 3]],
      [9, [3, 3, 3]],
    ],
  ],
  [
    "t3.small W=1 M=1",
    t3small,
    byIp(1, 1),
    [
      [0, [1]],
      [3, [3, 1]],
      [5, [3, 3]],
      [7, [3, 3, 2]],
    ],
  ],
  [
    "t3.small W=2 M=5",
    t3small,
    byIp(2, 5),
    [
      [0, [3, 2]],
      [5, [3, 3, 1]],
      [9, [3, 3, 3]],
    ],
  ],
  [
    "m5.large E=1",
    m5large,
    byEni(1),
    [
      [0, [9]],
      [3, [9, 9]],
      [9, [9, 9]],
      [15, [9, 9, 9]],
    ],
  ],
  // At 9 pods the official loop alternates between [9] and [9, 9]; ours keeps to "never without a free address".
  [
    "m5.large E=0",
    m5large,
    byEni(0),
    [
      [0, [9]],
      [1, [9]],
      [8, [9]],
      [9, [9, 9]],
      [10, [9, 9]],
    ],
  ],
  [
    "m5.large W=5 M=10",
    m5large,
    byIp(5, 10),
    [
      [0, [9, 1]],
      [7, [9, 3]],
      [15, [9, 9, 2]],
    ],
  ],
  [
    "m5.large W=2 M=12",
    m5large,
    byIp(2, 12),
    [
      [0, [9, 3]],
      [9, [9, 3]],
      [15, [9, 8]],
    ],
  ],
  [
    "m4.4xlarge E=1",
    m44xlarge,
    byEni(1),
    [
      [0, full(1, 29)],
      [3, full(2, 29)],
      [30, full(3, 29)],
      [58, full(3, 29)],
      [95, full(5, 29)],
    ],
  ],
  [
    "p3dn.24xlarge W=5 M=10",
    p3dn,
    byIp(5, 10),
    [
      [0, [10]],
      [7, [12]],
      [15, [20]],
      [45, [49, 1]],
    ],
  ],
  [
    "t3.small P=1",
    t3small,
    byPrefix(1),
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
    "t3.small prefixes, W=1 M=1",
    t3small,
    prefixByIp(1, 1),
    [
      [0, [1]],
      [15, [1]],
      [16, [2]],
      [58, [3, 1]],
    ],
  ],
  [
    "t3.small prefixes, W=7 M=20",
    t3small,
    prefixByIp(7, 20),
    [
      [0, [2]],
      [17, [2]],
      [45, [3, 1]],
      [58, [3, 2]],
    ],
  ],
  [
    "t3.small prefixes, W=16",
    t3small,
    prefixByIp(16, 0),
    [
      [0, [1]],
      [1, [2]],
    ],
  ],
  // S50, with room for more than the targets ask.
  ["S50 W=6 M=10", m5large, byIp(6, 10), [[0, [9, 1]]]],
  ["S50 prefixes, W=6 M=10", m5large, prefixByIp(6, 10), [[0, [1]]]],
  ["S50 prefixes, P=2", m5large, byPrefix(2), [[0, [2]]]],
  [
    "no warm prefix: one as long as nothing else is free",
    m5large,
    byPrefix(0),
    [
      [0, [1]],
      [15, [1]],
      [16, [2]],
    ],
  ],
];

describe.each(table)("%s", (_name, instance, settings, states) => {
  const cloudWith = (): FakeCloud => new FakeCloud({ instance, settings });

  test.each([...states])("%d pods that land at once rest with %j", (pods, slots) => {
    const cloud = cloudWith();
    cloud.scale(pods);
    expect(cloud.slots()).toEqual([...slots]);
    expect(cloud.pool.stats(cloud.now).assigned).toBe(pods);
    expect(checkPool(cloud.pool, cloud.now)).toEqual([]);
  });

  test.each([...states])("%d pods that come one by one rest with %j", (pods, slots) => {
    const cloud = cloudWith();
    for (let pod = 0; pod <= pods; pod++) cloud.scale(pod);
    expect(cloud.slots()).toEqual([...slots]);
  });

  test("the node comes back to rest with as little as before when its pods are gone", () => {
    const cloud = cloudWith();
    cloud.settle();
    const before = cloud.slots();
    for (const [pods] of states) {
      cloud.scale(pods);
      cloud.scale(0);
      expect(cloud.slots()).toEqual(before);
    }
  });

  test("at rest nothing more is done, ever", () => {
    const cloud = cloudWith();
    for (const [pods] of states) {
      cloud.scale(pods);
      const calls = cloud.calls.length;
      for (let minute = 0; minute < 10; minute++) {
        cloud.now += 60_000;
        expect(cloud.decide().actions).toEqual([]);
      }
      expect(cloud.calls.length).toBe(calls);
    }
  });
});

test("S51: after half of the pods came and went, addresses and ENIs are as before within six minutes", () => {
  for (const instance of [t3small, m5large, m44xlarge]) {
    const cloud = new FakeCloud({ instance, settings: { warmIpTarget: 3, warmEniTarget: 0 } });
    cloud.settle();
    const before = cloud.slots();
    const maxPods = instance.enis * (instance.ipv4PerEni - 1) + 2;
    cloud.scale(Math.floor(maxPods / 2));
    const gone = cloud.now;
    cloud.scale(0);
    expect(cloud.slots()).toEqual(before);
    expect(cloud.now - gone).toBeLessThanOrEqual(360_000);
  }
});

test("S58: ENABLE_POD_ENI on a type without trunks takes no place away: every pod gets an address", () => {
  for (const trunkCapable of [false, true]) {
    const cloud = new FakeCloud({ instance: { ...t3small, trunkCapable }, settings: { podEni: true } });
    cloud.scale(9);
    expect(cloud.ledger.waiting.anyCard).toBe(trunkCapable ? 3 : 0);
  }
});
