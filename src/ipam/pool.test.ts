import { describe, expect, test } from "bun:test";
import { checkPool } from "./check-pool.ts";
import { podKey } from "./fake-cloud.ts";
import { createPool } from "./pool.ts";
import { restorePool, type SavedAssignment } from "./restore.ts";
import type { AddressMode, AssignAnswer, Pool, PoolEniFacts } from "./types.ts";

const cooldownMs = 30_000;

function poolOf(mode: AddressMode, enis: Record<string, readonly string[]>, cooling = cooldownMs): Pool {
  const pool = createPool({ card: 0, mode, cooldownMs: cooling });
  for (const [id, blocks] of Object.entries(enis)) {
    pool.addEni(eni(id), 0);
    for (const block of blocks) pool.addCidr(id, block);
  }
  return pool;
}

/** eni-N is device N − 1; eni-1 is the primary. */
function eni(id: string, facts: Partial<PoolEniFacts> = {}): PoolEniFacts {
  const deviceNumber = Number(id.split("-")[1]) - 1;
  return {
    id,
    deviceNumber,
    routeTable: deviceNumber === 0 ? 254 : deviceNumber + 1,
    subnetId: `subnet-${id}`,
    primary: deviceNumber === 0,
    trunk: false,
    efa: false,
    excluded: false,
    ...facts,
  };
}

function given(answer: AssignAnswer): string {
  if (!answer.ok) throw new Error(`no address: ${JSON.stringify(answer)}`);
  return answer.assignment.address;
}

describe("ENIs and their blocks", () => {
  test("S1: an ENI is added once and keeps what it was added with", () => {
    const pool = poolOf("secondary-ip", { "eni-1": [], "eni-2": [] });
    expect(() => pool.addEni(eni("eni-2"), 0)).toThrow("data store: duplicate ENI");
    pool.addEni(eni("eni-3"), 0);
    expect(pool.enis().map(({ id, subnetId }) => [id, subnetId])).toEqual([
      ["eni-1", "subnet-eni-1"],
      ["eni-2", "subnet-eni-2"],
      ["eni-3", "subnet-eni-3"],
    ]);
  });

  test("S2: an ENI with a pod goes only by force, and its pods' keys with it", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"] });
    const answer = pool.assign(podKey(1), undefined, 0);
    expect(answer.ok && [answer.assignment.deviceNumber, answer.assignment.routeTable]).toEqual([0, 254]);
    expect(() => pool.removeEni("eni-1")).toThrow("datastore: ENI is used and can not be deleted");
    expect(pool.removeEni("eni-1", { force: true }).map(({ address }) => address)).toEqual(["1.1.1.1"]);
    expect(pool.lookup(podKey(1))).toBeUndefined();
    expect(() => pool.removeEni("eni-1")).toThrow("datastore: unknown ENI");
    // The official totals fall below zero here.
    expect(pool.stats(0)).toEqual({
      total: 0,
      assigned: 0,
      cooling: 0,
      free: 0,
      assignable: 0,
      prefixes: 0,
      emptyPrefixes: 0,
    });
  });

  test("blocks must be known in kind, and held once", () => {
    const pool = poolOf("prefix", { "eni-1": ["10.0.0.16/28"], "eni-2": ["10.0.0.40/32"] });
    expect(() => pool.addCidr("eni-2", "10.0.0.16/28")).toThrow("IP already in data store");
    expect(() => pool.addCidr("eni-2", "10.0.0.20/32")).toThrow("10.0.0.16/28 of eni-1");
    expect(() => pool.addCidr("eni-1", "10.0.0.32/28")).toThrow("10.0.0.40/32 of eni-2");
    expect(() => pool.addCidr("eni-1", "10.0.0.0/24")).toThrow("a /32, a /28 or an IPv6 /80");
    expect(() => pool.addCidr("eni-9", "10.0.0.99/32")).toThrow("datastore: unknown ENI");
    expect(() => pool.removeCidr("eni-1", "10.0.0.99/32")).toThrow("datastore: unknown IP");
    expect(checkPool(pool, 0)).toEqual([]);
  });

  test("S8: blocks of both modes can be held; each mode hands out its own", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"] });
    expect(given(pool.assign(podKey(1), undefined, 0))).toBe("1.1.1.1");
    pool.setMode("prefix");
    pool.addCidr("eni-1", "10.0.0.0/28");
    const totalOf = (): number =>
      pool.enis().reduce((sum, { groups }) => sum + groups.single.total + groups.prefix4.total, 0);
    expect(totalOf()).toBe(17);
    expect(given(pool.assign(podKey(2), undefined, 0))).toBe("10.0.0.0");
    expect(() => pool.removeCidr("eni-1", "1.1.1.1/32")).toThrow("IP is used and can not be deleted");
    expect(pool.removeCidr("eni-1", "1.1.1.1/32", { force: true }).length).toBe(1);
    expect(totalOf()).toBe(16);
    pool.setMode("secondary-ip");
    pool.addCidr("eni-1", "1.1.1.1/32");
    expect(totalOf()).toBe(17);
    pool.removeCidr("eni-1", "10.0.0.0/28", { force: true });
    expect(totalOf()).toBe(1);
    expect(checkPool(pool, 0)).toEqual([]);
  });

  test("S12: an excluded ENI gets no pods and is not counted", () => {
    const pool = poolOf("secondary-ip", {
      "eni-1": ["1.1.1.1/32", "1.1.1.2/32", "1.1.1.3/32"],
      "eni-2": ["2.2.2.1/32", "2.2.2.2/32"],
    });
    pool.setExcluded("eni-1", true);
    expect([pool.stats(0).total, pool.stats(0).free]).toEqual([2, 2]);
    expect([1, 2].map((pod) => given(pool.assign(podKey(pod), undefined, 0)))).toEqual([
      "2.2.2.1",
      "2.2.2.2",
    ]);
    expect(pool.assign(podKey(3), undefined, 0)).toEqual({ ok: false, cooling: 0 });
  });
});

describe("assigning", () => {
  test("S3: a /28 is handed out from its first address on", () => {
    const pool = poolOf("prefix", { "eni-5": ["10.0.0.0/28"] });
    const first = pool.assign(podKey(1), undefined, 0);
    expect(
      first.ok && [first.assignment.address, first.assignment.deviceNumber, first.assignment.routeTable],
    ).toEqual(["10.0.0.0", 4, 5]);
    expect(given(pool.assign(podKey(2), undefined, 0))).toBe("10.0.0.1");
    expect(given(pool.assign(podKey(3), undefined, 0))).toBe("10.0.0.2");
    expect(pool.unassign(podKey(2), 1)?.assignment.address).toBe("10.0.0.1");
    expect([pool.stats(1).total, pool.stats(1).assigned]).toEqual([16, 2]);
    expect(pool.assignments().map(({ address }) => address)).toEqual(["10.0.0.0", "10.0.0.2"]);
  });

  test("S4: the same key gets the same address, and nothing changes", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32", "1.1.1.2/32"] });
    expect(pool.assign(podKey(1), undefined, 5)).toMatchObject({ ok: true, fresh: true });
    const again = pool.assign(podKey(1), undefined, 9);
    expect(again).toMatchObject({
      ok: true,
      fresh: false,
      assignment: { address: "1.1.1.1", assignedAt: 5 },
    });
    expect(pool.stats(9).assigned).toBe(1);
    const otherInterface = { ...podKey(1), ifName: "eth1" };
    expect(given(pool.assign(otherInterface, undefined, 9))).toBe("1.1.1.2");
  });

  test.each<[AddressMode, string, string, string]>([
    ["secondary-ip", "1.1.1.1/32", "1.1.2.2/32", "1.1.2.2"],
    ["prefix", "10.0.0.0/28", "10.0.0.16/28", "10.0.0.1"],
  ])("S5: in %s mode an assignment that cannot be written leaves no trace", (mode, one, two, address) => {
    const pool = poolOf(mode, { "eni-1": [one], "eni-2": [two] });
    pool.assign(podKey(1), undefined, 0);
    const before = pool.stats(0);
    expect(given(pool.assign(podKey(2), undefined, 0))).toBe(address);
    pool.cancelAssign(podKey(2));
    expect(pool.stats(0)).toEqual(before);
    expect(pool.lookup(podKey(2))).toBeUndefined();
    expect(checkPool(pool, 0)).toEqual([]);
    expect(given(pool.assign(podKey(2), undefined, 0))).toBe(address);
  });

  test("S5: a release that cannot be written is taken back whole", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"] });
    const metadata = { namespace: "default", name: "web-0", interfaces: 1 };
    pool.assign(podKey(1), metadata, 7);
    const released = pool.unassign(podKey(1), 20);
    if (released === undefined) throw new Error("nothing released");
    pool.cancelUnassign(released);
    expect(pool.lookup(podKey(1))).toMatchObject({ address: "1.1.1.1", assignedAt: 7, metadata });
    expect(pool.stats(20).cooling).toBe(0);
    expect(checkPool(pool, 20)).toEqual([]);
  });

  test("S6: with all addresses taken there is none; a release names what was held", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"], "eni-2": ["1.1.2.2/32", "1.1.2.3/32"] });
    for (const pod of [1, 2, 3])
      pool.assign(podKey(pod), { namespace: "a", name: `${pod}`, interfaces: 1 }, 0);
    expect(pool.assign(podKey(4), undefined, 0)).toEqual({ ok: false, cooling: 0 });
    expect(pool.unassign(podKey(9), 0)).toBeUndefined();
    expect(pool.unassign(podKey(2), 0)?.assignment).toMatchObject({
      eniId: "eni-2",
      deviceNumber: 1,
      routeTable: 2,
      metadata: { interfaces: 1 },
    });
  });

  test("goes by ENI, by prefix in use, then by least recent use", () => {
    const pool = poolOf(
      "prefix",
      { "eni-2": ["10.0.0.16/28"], "eni-1": ["10.0.0.32/28", "10.0.0.48/28"] },
      0,
    );
    expect(given(pool.assign(podKey(1), undefined, 0))).toBe("10.0.0.32");
    expect(given(pool.assign(podKey(2), undefined, 0))).toBe("10.0.0.33");
    pool.unassign(podKey(1), 1);
    for (let pod = 3; pod <= 16; pod++) pool.assign(podKey(pod), undefined, 2);
    expect(pool.stats(2).emptyPrefixes).toBe(2);
    expect(given(pool.assign(podKey(17), undefined, 2))).toBe("10.0.0.32");
    expect(given(pool.assign(podKey(18), undefined, 2))).toBe("10.0.0.48");
  });

  test("single addresses are reused in the order of their release", () => {
    const blocks = ["10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32"];
    const pool = poolOf("secondary-ip", { "eni-1": blocks }, 10);
    for (const pod of [1, 2, 3]) pool.assign(podKey(pod), undefined, 0);
    for (const [pod, at] of [
      [2, 1],
      [3, 2],
      [1, 3],
    ] as const)
      pool.unassign(podKey(pod), at);
    expect([4, 5, 6].map((pod) => given(pool.assign(podKey(pod), undefined, 100)))).toEqual([
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.1",
    ]);
  });

  test("IPv6: the first pod gets the prefix's own address, and no address comes back", () => {
    const pool = poolOf("ipv6", { "eni-1": ["2001:db8::/80"] }, 0);
    expect(given(pool.assign(podKey(1), undefined, 0))).toBe("2001:db8::");
    pool.unassign(podKey(1), 1);
    expect(given(pool.assign(podKey(2), undefined, 2))).toBe("2001:db8::1");
    expect(pool.lookupAddress("2001:db8::1")?.key).toEqual(podKey(2));
    expect(pool.eni("eni-1")?.cidr("2001:db8::/80")?.addresses().length).toBe(1);
  });

  test("an entry that was taken over from the container runtime is found by its container", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"] });
    const migrated = { networkName: "_migrated-from-cri", containerId: "sandbox-1", ifName: "unknown" };
    pool.restore("1.1.1.1", migrated, undefined, 0);
    expect(pool.unassign(podKey(1), 5)?.assignment.key).toEqual(migrated);
    expect(pool.stats(5).assigned).toBe(0);
  });
});

describe("cooling down", () => {
  test("S9: a released address is counted, and ready when more than the cool-down has passed", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"], "eni-2": ["1.1.2.2/32"] }, 1000);
    pool.assign(podKey(1), undefined, 0);
    pool.assign(podKey(2), undefined, 0);
    expect(pool.stats(0)).toMatchObject({ total: 2, assigned: 2, cooling: 0 });
    pool.unassign(podKey(1), 5000);
    expect(pool.stats(5000)).toMatchObject({ total: 2, assigned: 1, cooling: 1, free: 1, assignable: 0 });
    expect(pool.stats(6000).cooling).toBe(1);
    expect(pool.nextReadyAt(6000)).toBe(6001);
    expect(pool.assign(podKey(3), undefined, 6000)).toEqual({ ok: false, coolingUntil: 6001, cooling: 1 });
    expect(pool.stats(6001)).toMatchObject({ cooling: 0, assignable: 1 });
    expect(given(pool.assign(podKey(3), undefined, 6001))).toBe("1.1.1.1");
  });

  test("S9: the same with prefixes and with IPv6", () => {
    const v4 = poolOf("prefix", { "eni-1": ["10.0.0.0/28"] }, 1000);
    v4.assign(podKey(1), undefined, 0);
    v4.assign(podKey(2), undefined, 0);
    v4.unassign(podKey(1), 0);
    expect(v4.stats(1000)).toMatchObject({ total: 16, prefixes: 1, assigned: 1, cooling: 1 });
    expect(v4.stats(1001)).toMatchObject({ total: 16, prefixes: 1, assigned: 1, cooling: 0 });
    const v6 = poolOf("ipv6", { "eni-1": ["2001:db8::/80"] });
    v6.assign(podKey(1), undefined, 0);
    expect(v6.stats(0)).toMatchObject({ total: 281474976710656, prefixes: 1, assigned: 1 });
  });

  test("an address in an excluded subnet does not count when it says until when to wait", () => {
    const pool = poolOf("secondary-ip", { "eni-1": ["1.1.1.1/32"], "eni-2": ["1.1.2.2/32"] });
    pool.assign(podKey(1), undefined, 0);
    pool.assign(podKey(2), undefined, 0);
    pool.unassign(podKey(1), 0);
    pool.unassign(podKey(2), 10);
    pool.setExcluded("eni-1", true);
    expect(pool.assign(podKey(3), undefined, 20)).toMatchObject({ coolingUntil: 10 + cooldownMs + 1 });
  });
});

describe("restoring", () => {
  const pod = (name: string): SavedAssignment["metadata"] => ({
    namespace: "kube-system",
    name,
    interfaces: 1,
  });
  const saved: readonly SavedAssignment[] = [
    {
      key: podKey(1),
      address: "192.168.1.1",
      assignedAt: 10,
      metadata: { namespace: "kube-system", name: "a", interfaces: 1 },
    },
    {
      key: podKey(2),
      address: "192.168.1.2",
      assignedAt: 20,
      metadata: { namespace: "kube-system", name: "b", interfaces: 1 },
    },
    { key: podKey(3), address: "192.168.1.3", assignedAt: 30 },
    { key: podKey(4), address: "192.168.9.9", assignedAt: 40 },
  ];
  const blocks = ["192.168.1.1/32", "192.168.1.2/32", "192.168.1.3/32", "192.168.1.4/32"];
  const suffixOf = ({ name }: { name: string }): string => (name === "a" ? "b5faff8a083" : "9571956a6cc");

  test("S11: an entry whose host link is gone is stale; one without a name cannot be checked", () => {
    const pool = poolOf("secondary-ip", { "eni-1": blocks });
    const restored = restorePool(
      pool,
      { allocations: saved, cooling: [{ address: "192.168.1.4", releasedAt: 90 }] },
      ["eth0", "vethb5faff8a083"],
      suffixOf,
      100,
    );
    expect(restored.stale.map(({ address }) => address)).toEqual(["192.168.1.2"]);
    expect(restored.lost.map(({ address }) => address)).toEqual(["192.168.9.9"]);
    expect(pool.assignments().map(({ address, assignedAt }) => [address, assignedAt])).toEqual([
      ["192.168.1.1", 10],
      ["192.168.1.3", 30],
    ]);
    expect(pool.coolingAddresses(100)).toEqual([
      { address: "192.168.1.4", releasedAt: 90 },
      { address: "192.168.1.2", releasedAt: 100 },
    ]);
    expect(pool.lookup(podKey(1))?.metadata).toEqual(pod("a"));
    expect(checkPool(pool, 100)).toEqual([]);
  });

  test("one address cannot have two keys", () => {
    const pool = poolOf("secondary-ip", { "eni-1": blocks });
    const twice = [
      { key: podKey(1), address: "192.168.1.1", assignedAt: 1 },
      { key: podKey(2), address: "192.168.1.1", assignedAt: 1 },
    ];
    expect(() => restorePool(pool, { allocations: twice, cooling: [] }, [], suffixOf, 1)).toThrow(
      "datastore: IP already in data store",
    );
    expect(checkPool(pool, 1)).toEqual([]);
  });

  test("addresses in the middle of a block are restored, and skipped when fresh ones are handed out", () => {
    const pool = poolOf("prefix", { "eni-1": ["10.0.0.0/28"] });
    expect(pool.restore("10.0.0.1", podKey(1), undefined, 0)).toBe(true);
    expect(pool.restore("10.0.1.1", podKey(2), undefined, 0)).toBe(false);
    expect([2, 3].map((n) => given(pool.assign(podKey(n), undefined, 0)))).toEqual(["10.0.0.0", "10.0.0.2"]);
  });
});
