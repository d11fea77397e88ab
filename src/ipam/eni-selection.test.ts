import { describe, expect, test } from "bun:test";
import { isExcludedForPods, isUnmanaged, selectEnis } from "./eni-selection.ts";
import { type AttachedEni, poolFacts, routeTableOf } from "./facts.ts";

const ownTag = { "node.k8s.amazonaws.com/instance_id": "i-1" };
const noManage = (value: string) => ({ "node.k8s.amazonaws.com/no_manage": value });
const rules = { instanceId: "i-1", manageUntagged: true, multiNic: true };

function eni(card: number, deviceNumber: number, facts: Partial<AttachedEni> = {}): AttachedEni {
  return {
    id: `eni-${card}-${deviceNumber}`,
    card,
    deviceNumber,
    subnetId: "subnet-a",
    primary: card === 0 && deviceNumber === 0,
    addresses: [],
    ipv4Prefixes: [],
    ipv6Prefixes: [],
    interfaceType: "interface",
    tags: {},
    ...facts,
  };
}

describe("S24: whose an ENI is", () => {
  test.each<[string, boolean, Record<string, string> | undefined, boolean, boolean]>([
    ["no_manage=true", false, { ...ownTag, ...noManage("true") }, true, true],
    ["no_manage=false", false, noManage("false"), false, false],
    ["no_manage=True", false, noManage("True"), false, false],
    ["the primary, whatever its tags", true, noManage("true"), false, false],
    ["untagged", false, {}, true, false],
    ["untagged, where those are not managed", false, {}, false, true],
    ["ours, where untagged ones are not managed", false, ownTag, false, false],
    [
      "another node's, where untagged ones are not",
      false,
      { "node.k8s.amazonaws.com/instance_id": "i-2" },
      false,
      true,
    ],
    ["with unknown tags", false, undefined, false, false],
  ])("%s", (_name, primary, tags, manageUntagged, unmanaged) => {
    const facts = tags === undefined ? { primary } : { primary, tags };
    expect(isUnmanaged(facts, { instanceId: "i-1", manageUntagged })).toBe(unmanaged);
  });

  test("selecting again does not add up", () => {
    const enis = [eni(0, 0), eni(0, 1, { tags: noManage("true") })];
    const first = selectEnis(enis, 1, rules);
    expect(selectEnis(enis, 1, rules)).toEqual(first);
    expect(first.cards).toEqual([{ card: 0, unmanagedEnis: 1 }]);
    expect([...first.unmanaged]).toEqual(["eni-0-1"]);
  });
});

describe("network cards", () => {
  test("S13: a card with nothing but an EFA-only interface is left out", () => {
    const enis = [eni(0, 0), eni(1, 0, { interfaceType: "efa-only" }), eni(2, 0)];
    const selection = selectEnis(enis, 3, rules);
    expect(selection.cards.map(({ card }) => card)).toEqual([0, 2]);
    expect(selection.managed.map(({ id }) => id)).toEqual(["eni-0-0", "eni-2-0"]);
  });

  test("an EFA-only interface beside one of ours takes up a place", () => {
    const enis = [eni(0, 0), eni(1, 0, { interfaceType: "efa-only" }), eni(1, 1)];
    expect(selectEnis(enis, 2, rules).cards).toEqual([
      { card: 0, unmanagedEnis: 0 },
      { card: 1, unmanagedEnis: 1 },
    ]);
  });

  test("cards without ENIs are managed; without multi-NIC only card 0 is", () => {
    expect(selectEnis([eni(0, 0)], 2, rules).cards.length).toBe(2);
    const single = selectEnis([eni(0, 0), eni(1, 0)], 2, { ...rules, multiNic: false });
    expect(single.cards).toEqual([{ card: 0, unmanagedEnis: 0 }]);
    expect([...single.unmanaged]).toEqual(["eni-1-0"]);
  });
});

test("the primary ENI serves no pods under custom networking", () => {
  const off = { customNetworking: false };
  const on = { customNetworking: true };
  expect([isExcludedForPods(eni(0, 0), off, false), isExcludedForPods(eni(0, 0), on, false)]).toEqual([
    false,
    true,
  ]);
  expect([isExcludedForPods(eni(0, 1), off, true), isExcludedForPods(eni(0, 1), on, false)]).toEqual([
    true,
    false,
  ]);
});

test("S44: route tables", () => {
  expect(
    [
      [0, 0],
      [0, 1],
      [1, 1],
      [2, 3],
      [1, 0],
    ].map(([card = 0, device = 0]) => routeTableOf(card, device)),
  ).toEqual([254, 2, 10101, 10203, 10100]);
});

test("what the pool must know follows from the interface's type and place", () => {
  const trunk = poolFacts(eni(0, 2, { interfaceType: "trunk", primaryAddress: "10.0.0.9" }), {
    excluded: false,
  });
  expect(trunk).toMatchObject({ trunk: true, efa: false, routeTable: 3, primaryAddress: "10.0.0.9" });
  expect(poolFacts(eni(1, 0, { interfaceType: "efa" }), { excluded: true, routeTable: 7 })).toMatchObject({
    efa: true,
    excluded: true,
    routeTable: 7,
  });
});
