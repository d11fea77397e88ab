import { describe, expect, test } from "bun:test";
import { FakeCloud } from "./fake-cloud.ts";
import { actionsOf, cloudWith, rulesOf, singles } from "./fake-node.ts";
import type { SettingsInput } from "./settings.ts";
import type { Action } from "./types.ts";

describe("growing", () => {
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
    ["addresses", { warmIpTarget: 5 }, 12, 12],
    ["prefixes", { warmPrefixTarget: 3, prefixDelegation: true }, 20, 2],
    ["whole ENIs, which are filled", { warmEniTarget: 1 }, 12, 14],
  ] as const)(
    "targets do not go beyond what the node may have pods: %s",
    (_what, settings, maxPods, count) => {
      const cloud = cloudWith(settings, {}, { maxPods });
      cloud.land(maxPods - 2);
      expect(actionsOf(cloud.decide())).toMatchObject([{ kind: "assign", count }]);
    },
  );

  test("pods that wait need not wait for cooling addresses because the node may have few pods", () => {
    const cloud = cloudWith({ warmIpTarget: 5 }, { "eni-0": singles(8) }, { maxPods: 10 });
    cloud.land(8);
    cloud.land(0);
    cloud.land(6);
    expect(actionsOf(cloud.decide())).toMatchObject([{ kind: "assign", count: 6 }]);
  });

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

  test("pods that come one by one wait for the ENI that is on its way, and it is grown when it is there", () => {
    const cloud = cloudWith({ warmIpTarget: 2 }, { "eni-0": singles(14, 9) });
    cloud.land(14);
    const [creation] = cloud.begin();
    expect(creation?.action).toMatchObject({ kind: "create-eni", count: 2 });
    cloud.land(20);
    expect(cloud.decide().actions).toEqual([]);
    // Two of the fourteen slots are ordered: beyond the other twelve another ENI is needed.
    cloud.land(27);
    expect(actionsOf(cloud.decide())).toMatchObject([{ kind: "create-eni", count: 1 }]);
    cloud.land(20);
    if (creation !== undefined) cloud.finish(creation);
    cloud.settle();
    expect(cloud.slots()).toEqual([14, 8]);
    expect(cloud.calls.map(({ kind }) => kind)).toEqual(["create-eni", "assign"]);
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

  test("S19: with its own subnet short, an ENI elsewhere is tried, and a full subnet left alone for 120 s", () => {
    const cloud = cloudWith({ warmEniTarget: 1 }, { "eni-0": singles(4) });
    cloud.ledger.newEniSubnets = ["subnet-a", "subnet-b"];
    cloud.fullSubnets.add("subnet-a").add("subnet-b");
    const [assign] = cloud.begin();
    if (assign === undefined) throw new Error("nothing begun");
    cloud.finish(assign);
    const elsewhere = { kind: "create-eni", card: 0, what: "addresses", avoidSubnets: ["subnet-a"] } as const;
    expect(actionsOf(cloud.decide())).toMatchObject([
      { kind: "assign", eniId: "eni-0", count: 5 },
      { ...elsewhere, count: 14 },
    ]);
    for (let begun = cloud.begin(); begun.length > 0; begun = cloud.begin())
      for (const each of begun) cloud.finish(each);
    const asked = (kind: Action["kind"]) =>
      cloud.calls.flatMap((action) => (action.kind === kind && "count" in action ? action.count : []));
    expect(asked("assign")).toEqual([10, 5, 2, 1]);
    expect(asked("create-eni")).toEqual([14, 7, 3, 1]);
    const failedAt = cloud.now;
    expect(cloud.decide()).toMatchObject({ actions: [], wakeAt: failedAt + 120_001 });
    expect(rulesOf(cloud.decide())).toEqual(["insufficient-back-off", "create-back-off"]);
    cloud.now = failedAt + 120_000;
    expect(cloud.decide().actions).toEqual([]);
    // Then one is tried before many are asked for again.
    cloud.now = failedAt + 120_001;
    expect(actionsOf(cloud.decide())).toMatchObject([
      { kind: "assign", eniId: "eni-0", count: 1 },
      { kind: "create-eni", count: 1, avoidSubnets: ["subnet-a"] },
    ]);
  });

  test("pods get the last addresses of a subnet: fewer are asked for until EC2 says yes", () => {
    const cloud = cloudWith({ warmEniTarget: 1, subnetDiscovery: false }, { "eni-0": singles(14, 9) });
    cloud.roomLeft.set("subnet-a", 9);
    cloud.land(14);
    cloud.land(18);
    const counts: string[] = [];
    for (let begun = cloud.begin(); begun.length > 0; begun = cloud.begin()) {
      for (const each of begun) {
        counts.push(`${each.action.kind} ${"count" in each.action ? each.action.count : ""}`);
        cloud.finish(each);
      }
      cloud.land(17);
      cloud.land(18);
    }
    expect(cloud.ledger.waiting.anyCard).toBe(0);
    // Four pods and a warm ENI want two ENIs. Then four are asked for, and what is left, the warm target gets.
    expect(counts.slice(0, 2)).toEqual(["create-eni 14", "create-eni 14"]);
    expect(counts.slice(2)).toEqual(["create-eni 4", "assign 5", "assign 1", "assign 2", "assign 1"]);
    expect(cloud.roomLeft.get("subnet-a")).toBe(0);
    expect(cloud.decide().actions).toEqual([]);
  });

  test("prefixes are asked for in fewer numbers too, for an ENI that is there and for a new one", () => {
    const cloud = cloudWith(
      { prefixDelegation: true, warmPrefixTarget: 4, subnetDiscovery: false },
      { "eni-0": [] },
      { ipv4PerEni: 5 },
    );
    cloud.roomLeft.set("subnet-a", 2);
    const doAll = (of: FakeCloud): void => {
      for (let begun = of.begin(); begun.length > 0; begun = of.begin())
        for (const each of begun) of.finish(each);
    };
    doAll(cloud);
    expect(cloud.calls.map((action) => ("count" in action ? action.count : 0))).toEqual([4, 2, 1]);
    expect(cloud.pool.stats(cloud.now).prefixes).toBe(2);

    const full = cloudWith(
      { prefixDelegation: true, warmPrefixTarget: 3, subnetDiscovery: false },
      { "eni-0": ["10.0.9.16/28"] },
      { ipv4PerEni: 2 },
    );
    full.roomLeft.set("subnet-a", 1);
    doAll(full);
    expect(full.slots()).toEqual([1, 1]);
  });

  test("with discovery off, a full subnet stops new ENIs too; with it on, another known subnet takes them", () => {
    const full = { slots: 0, at: 1_000_000 };
    const off = cloudWith({ subnetDiscovery: false }, { "eni-0": singles(4) });
    off.ledger.subnetRoom.set("subnet-a", full);
    expect(off.decide().actions).toEqual([]);
    const on = cloudWith({}, { "eni-0": singles(4) });
    on.ledger.subnetRoom.set("subnet-a", full);
    on.ledger.newEniSubnets = ["subnet-a", "subnet-b"];
    expect(actionsOf(on.decide())).toMatchObject([{ kind: "create-eni" }]);
    on.ledger.newEniSubnets = ["subnet-a"];
    expect(on.decide().actions).toEqual([]);
  });

  test("in a subnet that is short, one request waits for the answer to the other", () => {
    const cloud = cloudWith({ subnetDiscovery: false }, { "eni-0": singles(4), "eni-1": singles(4, 2) });
    cloud.ledger.subnetRoom.set("subnet-a", { slots: 6, at: cloud.now });
    cloud.land(8);
    cloud.land(20);
    expect(cloud.begin().map(({ action }) => action)).toMatchObject([
      { kind: "assign", eniId: "eni-0", count: 3 },
    ]);
    expect(cloud.decide().actions).toEqual([]);
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
    for (const [round, window] of [5000, 10_000, 20_000, 40_000, 60_000, 60_000].entries()) {
      expect(pauses[round]).toBeGreaterThanOrEqual(0.8 * window);
      expect(pauses[round]).toBeLessThanOrEqual(window);
    }
  });

  test("actions that were under way together fail together: one pause, not one for each", () => {
    const cloud = cloudWith({ warmEniTarget: 2 }, { "eni-0": singles(14) });
    cloud.land(20);
    const begun = cloud.begin();
    expect(begun.length).toBeGreaterThan(1);
    const throttled = {
      kind: "failed",
      error: "Throttling",
      insufficientSubnets: [],
      throttled: true,
    } as const;
    for (const { id } of begun) {
      cloud.now += 100;
      cloud.ledger.finish(id, throttled, cloud.now);
    }
    const pause = (cloud.ledger.retryAt.get("create-eni 0 ") ?? 0) - cloud.now;
    expect(pause).toBeLessThanOrEqual(10_000);
    expect(rulesOf(cloud.decide())).toContain("retry-back-off");
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
