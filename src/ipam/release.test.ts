import { describe, expect, test } from "bun:test";
import { podKey } from "./fake-cloud.ts";
import { actionsOf, cloudWith, rulesOf, singles } from "./fake-node.ts";

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

  test("nothing is given back while more is on its way", () => {
    const cloud = cloudWith({ warmIpTarget: 1 }, { "eni-0": singles(2) });
    cloud.land(6);
    const [growth] = cloud.begin();
    cloud.land(0);
    cloud.now += 31_000;
    expect(cloud.decide().actions).toEqual([]);
    if (growth !== undefined) cloud.finish(growth);
    expect(actionsOf(cloud.decide()).map(({ kind }) => kind)).toEqual(["unassign"]);
  });

  test("addresses that cool down are kept, in the other mode too", () => {
    const cloud = cloudWith({ warmIpTarget: 1 }, { "eni-0": singles(5) });
    cloud.land(5);
    for (const pod of [0, 1, 2]) cloud.pool.unassign(podKey(pod), cloud.now);
    cloud.now += 30_001;
    for (const pod of [3, 4]) cloud.pool.unassign(podKey(pod), cloud.now);
    expect(actionsOf(cloud.decide())).toMatchObject([{ addresses: ["10.0.1.3/32", "10.0.1.2/32"] }]);

    const switched = cloudWith({ prefixDelegation: true }, { "eni-0": ["10.0.9.0/28", "10.0.8.1/32"] });
    switched.pool.restore("10.0.8.1", podKey(1), undefined, 0);
    switched.pool.unassign(podKey(1), switched.now);
    expect(switched.decide()).toMatchObject({ actions: [], wakeAt: switched.now + 30_001 });
    switched.now += 30_001;
    expect(actionsOf(switched.decide())).toMatchObject([{ addresses: ["10.0.8.1/32"] }]);
  });

  test("slots are free for other blocks only when EC2 has taken the old ones back", () => {
    const blocks = Array.from({ length: 3 }, (_, index) => `10.0.${index}.0/28`);
    const cloud = cloudWith({ warmEniTarget: 1 }, { "eni-0": blocks }, { enis: 1, ipv4PerEni: 4 });
    const [unassign] = cloud.decide().actions;
    const begun = unassign && cloud.ledger.begin(unassign, cloud.now);
    expect(begun?.action.kind).toBe("unassign");
    expect(cloud.decide().actions).toEqual([]);
    if (begun !== undefined) cloud.finish(begun);
    expect(actionsOf(cloud.decide())).toMatchObject([{ kind: "assign", count: 3 }]);
  });

  test("the ENI that is nearest to being empty is emptied first", () => {
    const enis = { "eni-0": singles(2), "eni-1": singles(8, 2), "eni-2": singles(9, 3) };
    const cloud = cloudWith({ warmIpTarget: 2, minimumIpTarget: 12 }, enis);
    cloud.settle();
    expect(cloud.slots()).toEqual([2, 1, 9]);
  });
});
