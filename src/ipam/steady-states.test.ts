import { describe, expect, test } from "bun:test";
import { checkPool } from "./check-pool.ts";
import { FakeCloud } from "./fake-cloud.ts";
import {
  byEni,
  byIp,
  byPrefix,
  officialSteadyStates,
  prefixByIp,
  type States,
  type WarmSettings,
} from "./steady-state-table.ts";

const t3small = { enis: 3, ipv4PerEni: 4 };
const m5large = { enis: 3, ipv4PerEni: 10 };
const m44xlarge = { enis: 8, ipv4PerEni: 30 };
const p3dn = { enis: 15, ipv4PerEni: 50 };
const instances: Readonly<Record<string, Instance>> = {
  "t3.small": t3small,
  "m5.large": m5large,
  "m4.4xlarge": m44xlarge,
  "p3dn.24xlarge": p3dn,
};
type Instance = typeof t3small;
type Row = readonly [name: string, Instance, WarmSettings, States];

const official = officialSteadyStates.map(
  ([type, warm, states]): Row => [
    `${type} ${JSON.stringify(warm)}`,
    instances[type] ?? { enis: 0, ipv4PerEni: 0 },
    warm,
    states,
  ],
);
const ours: readonly Row[] = [
  // Where the official loop alternates between [9] and [9, 9], we keep to "never without a free address".
  [
    "m5.large E=0",
    m5large,
    byEni(0),
    [
      [1, [9]],
      [9, [9, 9]],
      [10, [9, 9]],
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

describe.each([...official, ...ours])("%s", (_name, instance, settings, states) => {
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
