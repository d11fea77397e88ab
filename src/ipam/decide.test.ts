import { describe, expect, test } from "bun:test";
import { FakeCloud, podKey } from "./fake-cloud.ts";
import type { SettingsInput } from "./settings.ts";
import { addressesPerPrefix, cardTargets, effectiveSettings } from "./settings.ts";
import { type Counts, shortage, surplus } from "./targets.ts";
import type { Action, Decision, PoolEniFacts } from "./types.ts";

const nitro = { hypervisor: "nitro", bareMetal: false, trunkCapable: true } as const;

function eni(id: string, facts: Partial<PoolEniFacts> = {}): PoolEniFacts {
  const deviceNumber = Number(id.split("-")[1]);
  return {
    id,
    deviceNumber,
    routeTable: deviceNumber + 1,
    subnetId: "subnet-a",
    primary: false,
    trunk: false,
    efa: false,
    excluded: false,
    ...facts,
  };
}

/** A cloud whose ENIs hold the given blocks; "eni-0" is the primary that it starts with. */
function cloudWith(
  settings: SettingsInput,
  enis: Record<string, readonly string[]> = {},
  options: {
    enis?: number;
    ipv4PerEni?: number;
    maxPods?: number;
    facts?: Record<string, Partial<PoolEniFacts>>;
  } = {},
): FakeCloud {
  const cloud = new FakeCloud({
    instance: { enis: options.enis ?? 4, ipv4PerEni: options.ipv4PerEni ?? 15 },
    settings,
    ...(options.maxPods === undefined ? {} : { maxPods: options.maxPods }),
  });
  for (const [id, blocks] of Object.entries(enis)) {
    if (cloud.pool.eni(id) === undefined) cloud.pool.addEni(eni(id, options.facts?.[id]), cloud.now);
    for (const block of blocks) cloud.pool.addCidr(id, block);
  }
  return cloud;
}

const singles = (count: number, net = 1): string[] =>
  Array.from({ length: count }, (_, index) => `10.0.${net}.${index + 1}/32`);

const actionsOf = (decision: Decision): Action[] => decision.actions.map(({ action }) => action);
const rulesOf = (decision: Decision): string[] => decision.notes.map(({ rule }) => rule);

describe("what a card is short of, and has too much of", () => {
  const held = (counts: Partial<Counts>): Counts => ({
    total: 0,
    needed: 0,
    urgent: 0,
    prefixes: 0,
    emptyPrefixes: 0,
    ...counts,
  });
  const both = (counts: Counts, settings: SettingsInput, ipv4PerEni = 15): [number, number] => {
    const effective = effectiveSettings(settings, { enis: 4, ipv4PerEni, ...nitro }).settings;
    const targets = cardTargets(effective, 0);
    return [shortage(counts, targets, effective)?.slots ?? 0, surplus(counts, targets, effective)];
  };
  const prefixes = (count: number, pods: number): Counts =>
    held({
      total: count * addressesPerPrefix,
      needed: pods,
      prefixes: count,
      emptyPrefixes: count - Math.ceil(pods / addressesPerPrefix),
    });

  test("S14: addresses beside WARM_IP_TARGET", () => {
    const settings = { warmIpTarget: 5 };
    expect(both(held({}), settings)).toEqual([5, 0]);
    expect(both(held({ total: 2 }), settings)).toEqual([3, 0]);
    expect(both(held({ total: 5 }), settings)).toEqual([0, 0]);
    expect(both(held({ total: 7 }), settings)).toEqual([0, 2]);
    const inPrefixes = { ...settings, prefixDelegation: true };
    expect(both(prefixes(0, 0), inPrefixes)).toEqual([1, 0]);
    expect(both(prefixes(2, 0), inPrefixes)).toEqual([0, 1]);
    expect(both(prefixes(1, 0), inPrefixes)).toEqual([0, 0]);
  });

  test.each([
    [14, 1, 0, 0, 0, true],
    [14, 0, 0, 0, 0, true],
    [14, 0, 3, 0, 0, true],
    [3, 1, 1, 3, 0, false],
    [3, 1, 0, 3, 1, true],
    [3, 0, 0, 3, 1, false],
    [3, 1, 0, 3, 3, true],
    [3, 0, 0, 3, 3, true],
  ])(
    "S15: %d addresses per ENI, E=%d W=%d, %d held and %d used",
    (slots, warmEniTarget, warmIpTarget, total, needed, low) => {
      const [short] = both(held({ total, needed }), { warmEniTarget, warmIpTarget }, slots + 1);
      expect(short > 0).toBe(low);
    },
  );

  test("S15: enough for maxPods is enough", () => {
    const cloud = cloudWith(
      { warmEniTarget: 0, warmIpTarget: 5 },
      { "eni-0": singles(3) },
      { ipv4PerEni: 4, maxPods: 3 },
    );
    cloud.land(3);
    expect(cloud.decide().actions).toEqual([]);
    expect(rulesOf(cloud.decide())).toEqual(["max-pods"]);
  });

  test.each([
    [1, 0, 0, true],
    [0, 0, 0, true],
    [1, 1, 0, false],
    [1, 1, 1, true],
    [0, 1, 1, false],
    [1, 1, 3, true],
    [0, 1, 3, false],
  ])("S16: P=%d, %d prefixes and %d pods", (warmPrefixTarget, count, pods, low) => {
    const [short] = both(prefixes(count, pods), { prefixDelegation: true, warmPrefixTarget }, 17);
    expect(short > 0).toBe(low);
  });
});

describe("growing", () => {
  test("S18: a new ENI is filled, or has what the targets lack", () => {
    const full = { "eni-0": singles(14) };
    const create = { kind: "create-eni", card: 0, what: "addresses", avoidSubnets: [] } as const;
    const byEni = cloudWith({ warmEniTarget: 1 }, full);
    byEni.land(1);
    expect(actionsOf(byEni.decide())).toEqual([{ ...create, count: 14 }]);
    const byIp = cloudWith({ warmIpTarget: 3 }, full);
    byIp.land(14);
    expect(actionsOf(byIp.decide())).toEqual([{ ...create, count: 3 }]);
  });

  test("all that waiting pods need is ordered at once, and not twice", () => {
    const cloud = cloudWith({ warmEniTarget: 1 }, { "eni-0": singles(4) });
    cloud.land(30);
    const decision = cloud.decide();
    expect(actionsOf(decision).map(({ kind }) => kind)).toEqual([
      "assign",
      "create-eni",
      "create-eni",
      "create-eni",
    ]);
    expect(decision.actions[0]).toMatchObject({
      action: { eniId: "eni-0", count: 10 },
      reason: { rule: "demand", values: { waiting: 26, total: 4 } },
    });
    for (const planned of decision.actions) cloud.ledger.begin(planned, cloud.now);
    expect(cloud.decide().actions).toEqual([]);
  });

  test("cooling addresses do not hold up waiting pods", () => {
    const cloud = cloudWith({ warmIpTarget: 1, minimumIpTarget: 4 }, { "eni-0": singles(4) });
    cloud.land(3);
    cloud.land(0);
    cloud.land(3);
    expect(cloud.ledger.waiting.anyCard).toBe(2);
    expect(actionsOf(cloud.decide())).toMatchObject([{ kind: "assign", count: 2 }]);
  });

  test("S19: with its own subnet full, an ENI elsewhere is tried, and the full subnet left alone for 120 s", () => {
    const cloud = cloudWith({ warmEniTarget: 1 }, { "eni-0": singles(4) });
    cloud.fullSubnets.add("subnet-a");
    const [assign] = cloud.begin();
    if (assign === undefined) throw new Error("nothing begun");
    cloud.finish(assign);
    const failedAt = cloud.now;
    expect(actionsOf(cloud.decide())).toEqual([
      { kind: "create-eni", card: 0, what: "addresses", count: 14, avoidSubnets: ["subnet-a"] },
    ]);
    for (const create of cloud.begin()) cloud.finish(create);
    expect(cloud.decide()).toMatchObject({ actions: [], wakeAt: failedAt + 120_001 });
    expect(rulesOf(cloud.decide())).toEqual(["insufficient-back-off", "create-back-off"]);
    cloud.now = failedAt + 120_000;
    expect(cloud.decide().actions).toEqual([]);
    cloud.now = failedAt + 120_001;
    expect(actionsOf(cloud.decide())[0]).toMatchObject({ kind: "assign", eniId: "eni-0" });
  });

  test("with discovery off, a full subnet stops new ENIs too; with it on, another known subnet takes them", () => {
    const off = cloudWith({ subnetDiscovery: false }, { "eni-0": singles(4) });
    off.ledger.insufficientAt.set("subnet-a", off.now);
    expect(off.decide().actions).toEqual([]);
    const on = cloudWith({}, { "eni-0": singles(4) });
    on.ledger.insufficientAt.set("subnet-a", on.now);
    on.ledger.newEniSubnets = ["subnet-a", "subnet-b"];
    expect(actionsOf(on.decide())).toMatchObject([{ kind: "create-eni" }]);
    on.ledger.newEniSubnets = ["subnet-a"];
    expect(on.decide().actions).toEqual([]);
  });

  test("another failure holds back only its like, longer each time", () => {
    const cloud = cloudWith({}, { "eni-0": [] });
    const pauses: number[] = [];
    for (let round = 0; round < 6; round++) {
      const [planned] = cloud.decide().actions;
      const begun = planned && cloud.ledger.begin(planned, cloud.now);
      if (begun === undefined) throw new Error("nothing begun");
      cloud.ledger.finish(
        begun.id,
        { kind: "failed", error: "Throttling", insufficientSubnets: [] },
        cloud.now,
      );
      const until = cloud.ledger.retryAt.get("assign 0 eni-0") ?? 0;
      pauses.push(until - cloud.now);
      cloud.now = until;
    }
    expect(pauses).toEqual([5000, 10_000, 20_000, 40_000, 60_000, 60_000]);
  });

  test("S20: nothing is grown or freed on a cordoned node unless that is wanted", () => {
    for (const manageNonSchedulable of [false, true]) {
      const cloud = cloudWith({ customNetworking: true, manageNonSchedulable });
      cloud.ledger.cordoned = true;
      expect(actionsOf(cloud.decide()).map(({ kind }) => kind)).toEqual(
        manageNonSchedulable ? ["create-eni"] : [],
      );
      if (!manageNonSchedulable) expect(rulesOf(cloud.decide())).toContain("cordoned");
    }
  });

  test("nothing at all is done while terminating, or where provisioning is disabled", () => {
    const cloud = cloudWith({ warmIpTarget: 1 }, { "eni-0": singles(9) });
    expect(cloud.decide().actions.length).toBe(1);
    cloud.ledger.terminating = true;
    expect(cloud.decide().actions).toEqual([]);
    for (const setting of [{ provisioningDisabled: true }, { imdsOnly: true }]) {
      expect(cloudWith(setting).decide().actions).toEqual([]);
      expect(rulesOf(cloudWith(setting).decide())).toContain("provisioning-disabled");
    }
  });

  test("S50: MAX_ENI, unmanaged ENIs and the trunk's place limit new ENIs", () => {
    const enisWith = (settings: SettingsInput, unmanaged = 0): number => {
      const cloud = new FakeCloud({ instance: { enis: 4, ipv4PerEni: 4 }, settings });
      cloud.ledger.setUnmanagedEnis(0, unmanaged);
      cloud.settle();
      return cloud.slots().length;
    };
    expect(enisWith({ warmEniTarget: 3 })).toBe(3);
    expect(enisWith({ warmEniTarget: 3, maxEni: 2 })).toBe(2);
    expect(enisWith({ warmEniTarget: 3, maxEni: 99 })).toBe(3);
    expect(enisWith({ warmEniTarget: 9 })).toBe(4);
    expect(enisWith({ warmEniTarget: 9 }, 1)).toBe(3);
    expect(enisWith({ warmEniTarget: 9, podEni: true })).toBe(3);
  });

  test("an ENI that was created or is being freed takes up its place", () => {
    const cloud = cloudWith({ warmEniTarget: 9 }, { "eni-0": singles(14), "eni-1": [] }, { enis: 2 });
    cloud.now += 61_000;
    cloud.ledger.begin(
      {
        action: { kind: "free-eni", card: 0, eniId: "eni-1" },
        reason: { rule: "extra-eni", card: 0, settings: [], values: {} },
      },
      cloud.now,
    );
    expect(cloud.decide().actions).toEqual([]);
    expect(rulesOf(cloud.decide())).toEqual(["max-eni"]);
  });

  test("custom networking leaves the primary ENI out", () => {
    const cloud = new FakeCloud({
      instance: { enis: 3, ipv4PerEni: 10 },
      settings: { customNetworking: true },
    });
    cloud.scale(12);
    expect(cloud.slots()).toEqual([0, 9, 9]);
  });

  test("S35: the trunk is asked for once, and where there is room for it", () => {
    const trunk: Action = { kind: "request-trunk", card: 0 };
    expect(actionsOf(cloudWith({ podEni: true, maxEni: 1 }, { "eni-0": singles(14) }).decide())).toEqual([]);
    const cloud = cloudWith({ podEni: true }, { "eni-0": singles(14) });
    expect(actionsOf(cloud.decide())).toEqual([trunk]);
    cloud.settle();
    expect(cloud.calls).toEqual([trunk]);
    expect(cloud.decide().actions).toEqual([]);
  });
});

describe("giving back", () => {
  test("S17: the surplus of two ENIs goes in one go, and then there is none", () => {
    const cloud = cloudWith({ warmIpTarget: 1 }, { "eni-0": singles(2), "eni-1": singles(2, 2) });
    for (const pod of [1, 2, 3]) cloud.pool.assign(podKey(pod), undefined, cloud.now);
    cloud.pool.unassign(podKey(2), cloud.now);
    expect(cloud.decide().actions).toEqual([]);
    expect(rulesOf(cloud.decide())).toContain("cooling");
    cloud.now += 30_001;
    expect(actionsOf(cloud.decide())).toEqual([
      { kind: "unassign", card: 0, eniId: "eni-1", addresses: ["10.0.2.2/32"], prefixes: [] },
    ]);
    for (const inFlight of cloud.begin()) cloud.finish(inFlight);
    expect(cloud.decide().actions).toEqual([]);
  });

  test("30 s lie between two decreases", () => {
    const cloud = cloudWith({ warmIpTarget: 1 }, { "eni-0": singles(6) });
    cloud.settle();
    const first = cloud.now;
    cloud.pool.addCidr("eni-0", "10.0.3.1/32");
    expect(cloud.decide()).toMatchObject({ actions: [], wakeAt: first + 30_001 });
    cloud.now = first + 30_001;
    expect(cloud.decide().actions.length).toBe(1);
  });

  test("S7: an ENI is freed when it is a minute old and its addresses have cooled", () => {
    const cloud = cloudWith({ warmEniTarget: 0 }, { "eni-0": singles(14), "eni-1": singles(14, 2) });
    for (let pod = 0; pod < 15; pod++) cloud.pool.assign(podKey(pod), undefined, cloud.now);
    cloud.now += 45_000;
    cloud.pool.unassign(podKey(14), cloud.now);
    cloud.pool.unassign(podKey(13), cloud.now);
    cloud.now += 20_000;
    expect(cloud.decide().actions).toEqual([]);
    cloud.now += 10_001;
    expect(actionsOf(cloud.decide())).toEqual([{ kind: "free-eni", card: 0, eniId: "eni-1" }]);
    const young = cloudWith({ warmEniTarget: 0 }, { "eni-0": singles(14), "eni-1": singles(14, 2) });
    expect(young.decide()).toMatchObject({ actions: [], wakeAt: young.now + 60_000 });
    expect(rulesOf(young.decide())).toContain("eni-too-young");
  });

  test("S10: an ENI goes when the others hold enough", () => {
    const three = { "eni-0": singles(2), "eni-1": singles(2, 2), "eni-2": singles(1, 3) };
    const freed = (
      warmIpTarget: number,
      minimumIpTarget: number,
      blocks: Record<string, readonly string[]>,
      facts = {},
    ): string[] => {
      const cloud = cloudWith({ warmIpTarget, minimumIpTarget }, blocks, { enis: 9, facts });
      cloud.pool.assign(podKey(1), undefined, cloud.now);
      cloud.pool.assign(podKey(2), undefined, cloud.now);
      cloud.now += 61_000;
      return actionsOf(cloud.decide()).flatMap((action) =>
        action.kind === "free-eni" ? [action.eniId] : [],
      );
    };
    expect(freed(3, 1, three)).toEqual([]);
    expect(freed(1, 5, three)).toEqual([]);
    expect(freed(2, 4, three)).toEqual(["eni-2"]);
    const two = { "eni-0": singles(2), "eni-1": singles(2, 2) };
    expect(freed(0, 3, two)).toEqual([]);
    expect(freed(0, 2, two)).toEqual(["eni-1"]);
    const special = { "eni-0": singles(2), "eni-3": singles(1, 4), "eni-4": singles(1, 5) };
    const facts = { "eni-3": { trunk: true }, "eni-4": { efa: true } };
    expect(freed(0, 2, special, facts)).toEqual([]);
    expect(freed(0, 2, { ...special, "eni-6": [] }, facts)).toEqual(["eni-6"]);
  });

  test("S23: what is given back has left the pool when the call starts", () => {
    const cloud = cloudWith({ warmEniTarget: 0 }, { "eni-0": singles(14), "eni-1": singles(14, 2) });
    cloud.now += 61_000;
    expect(cloud.begin().map(({ action }) => action)).toEqual([
      { kind: "free-eni", card: 0, eniId: "eni-1" },
    ]);
    expect(cloud.pool.eni("eni-1")).toBeUndefined();
  });

  test("a pod that was quicker keeps its address", () => {
    const cloud = cloudWith({ warmIpTarget: 1 }, { "eni-0": singles(3) });
    const decision = cloud.decide();
    for (const pod of [1, 2, 3]) cloud.pool.assign(podKey(pod), undefined, cloud.now);
    for (const planned of decision.actions) expect(cloud.ledger.begin(planned, cloud.now)).toBeUndefined();
    expect(cloud.pool.stats(cloud.now).assigned).toBe(3);
  });

  test("blocks of the other mode go as soon as no pod needs them, whatever the targets", () => {
    const cloud = cloudWith(
      { prefixDelegation: true },
      { "eni-0": ["10.0.9.0/28", "10.0.8.1/32", "10.0.8.2/32"] },
    );
    cloud.pool.restore("10.0.8.1", podKey(1), undefined, 0);
    expect(cloud.decide().actions).toMatchObject([
      {
        action: { kind: "unassign", addresses: ["10.0.8.2/32"], prefixes: [] },
        reason: { rule: "wrong-mode" },
      },
    ]);
    cloud.settle();
    expect(cloud.slots()).toEqual([2]);
    cloud.pool.unassign(podKey(1), cloud.now);
    cloud.settle();
    expect(
      cloud.pool
        .eni("eni-0")
        ?.cidrs()
        .map(({ cidr }) => cidr),
    ).toEqual(["10.0.9.0/28"]);
  });

  test("slots full of the other mode's blocks are made free though the card is short", () => {
    const blocks = Array.from({ length: 3 }, (_, index) => `10.0.${index}.0/28`);
    const cloud = cloudWith({ warmEniTarget: 1 }, { "eni-0": blocks }, { enis: 1, ipv4PerEni: 4 });
    cloud.settle();
    expect(cloud.pool.stats(cloud.now).total).toBe(3);
  });

  test("an ENI in an excluded subnet gives back what is free, and goes when it is empty", () => {
    const facts = { "eni-1": { excluded: true } };
    const cloud = cloudWith({ warmIpTarget: 2 }, { "eni-0": singles(2), "eni-1": singles(3, 2) }, { facts });
    cloud.pool.restore("10.0.2.1", podKey(1), undefined, 0);
    expect(actionsOf(cloud.decide())).toMatchObject([
      { kind: "unassign", eniId: "eni-1", addresses: ["10.0.2.2/32", "10.0.2.3/32"] },
    ]);
    cloud.settle();
    expect(cloud.slots()).toEqual([2, 1]);
    cloud.pool.unassign(podKey(1), cloud.now);
    cloud.settle();
    expect(cloud.slots()).toEqual([2]);
  });
});

describe("several cards", () => {
  test.each([false, true])(
    "every card but the first keeps one address in hand; prefixes: %p",
    (prefixDelegation) => {
      const cloud = new FakeCloud({
        instance: { enis: 3, ipv4PerEni: 10 },
        settings: { multiNic: true, prefixDelegation, warmIpTarget: 2 },
        cards: 2,
      });
      cloud.settle();
      expect([cloud.slots(0), cloud.slots(1)]).toEqual([[prefixDelegation ? 1 : 2], [1]]);
      const { length } = cloud.calls;
      for (let minute = 0; minute < 5; minute++) {
        cloud.now += 60_000;
        cloud.settle();
      }
      expect(cloud.calls.length).toBe(length);
    },
  );

  test("pods that card 0 has no room for go on to the next card", () => {
    const cloud = new FakeCloud({
      instance: { enis: 1, ipv4PerEni: 4 },
      settings: { multiNic: true, warmIpTarget: 1 },
      cards: 2,
    });
    cloud.scale(5);
    expect(cloud.ledger.waiting.anyCard).toBe(0);
    expect(cloud.ledger.cards.map(({ pool }) => pool.stats(cloud.now).assigned)).toEqual([3, 2]);
  });
});

describe("IPv6", () => {
  const settings = { ipv4: false, ipv6: true, prefixDelegation: true, multiNic: true };

  test("one prefix per ENI, one ENI per card, and that is all", () => {
    const cloud = new FakeCloud({ instance: { enis: 3, ipv4PerEni: 10 }, settings, cards: 2 });
    cloud.settle();
    expect([cloud.slots(0), cloud.slots(1)]).toEqual([[1], [1]]);
    cloud.scale(400);
    expect([cloud.slots(0), cloud.slots(1)]).toEqual([[1], [1]]);
    expect(cloud.pool.stats(cloud.now).assigned).toBe(400);
    expect(cloud.calls.map(({ kind }) => kind)).toEqual(["assign", "create-eni", "assign"]);
  });

  test("an excluded primary is replaced", () => {
    const cloud = new FakeCloud({ instance: { enis: 3, ipv4PerEni: 10 }, settings });
    cloud.pool.setExcluded("eni-0", true);
    cloud.settle();
    expect(cloud.slots()).toEqual([0, 1]);
  });
});

test("deciding twice gives the same answer and changes nothing", () => {
  const cloud = cloudWith({ warmEniTarget: 1 }, { "eni-0": singles(4) });
  cloud.land(30);
  expect(cloud.decide()).toEqual(cloud.decide());
});
