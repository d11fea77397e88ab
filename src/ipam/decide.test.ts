import { describe, expect, test } from "bun:test";
import { FakeCloud } from "./fake-cloud.ts";
import { cloudWith, singles } from "./fake-node.ts";

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

  test("pods that card 0 will serve are no demand on the next card; multi-NIC pods are", () => {
    const cloud = new FakeCloud({
      instance: { enis: 3, ipv4PerEni: 10 },
      settings: { multiNic: true, warmIpTarget: 1 },
      cards: 2,
    });
    cloud.settle();
    cloud.ledger.waiting = { anyCard: 4, everyCard: 3 };
    const growth = cloud.decide().actions.map(({ action }) => ({
      card: action.card,
      count: action.kind === "assign" ? action.count : 0,
    }));
    expect(growth).toEqual([
      { card: 0, count: 7 },
      { card: 1, count: 3 },
    ]);
  });

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
