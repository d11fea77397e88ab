import { describe, expect, test } from "bun:test";
import { type AttachedEni, poolFacts } from "./facts.ts";
import { FakeCloud, podKey } from "./fake-cloud.ts";
import { applyBlockChanges, blockChanges, reconcileDueAt, reconcileSteps } from "./reconcile.ts";

function seen(id: string, facts: Partial<AttachedEni> = {}): AttachedEni {
  const deviceNumber = Number(id.split("-")[1]);
  return {
    id,
    card: 0,
    deviceNumber,
    subnetId: "subnet-a",
    primary: deviceNumber === 0,
    primaryAddress: `10.0.0.${10 + deviceNumber}`,
    addresses: [],
    ipv4Prefixes: [],
    ipv6Prefixes: [],
    interfaceType: "interface",
    ...facts,
  };
}

/** Reconciles as ipamd does, EC2 agreeing with metadata; answers with ENIs and addresses in the pool. */
function reconcile(cloud: FakeCloud, enis: readonly AttachedEni[] | undefined): [number, number] {
  const { ledger, pool } = cloud;
  for (const step of reconcileSteps(ledger, enis, () => false)) {
    if (step.kind === "remove-eni") pool.removeEni(step.eniId, { force: true });
    const truth =
      step.kind === "add-eni"
        ? step.eni
        : enis?.find(({ id }) => step.kind === "ask-ec2" && id === step.eniId);
    if (step.kind === "add-eni") pool.addEni(poolFacts(step.eni, { excluded: false }), cloud.now);
    const known = truth && pool.eni(truth.id);
    if (known === undefined || truth === undefined) continue;
    applyBlockChanges(
      pool,
      known.id,
      blockChanges(known, truth, (block) => ledger.wasJustFreed(block, cloud.now)),
    );
  }
  return [pool.enis().length, pool.enis().reduce((sum, { cidrCount }) => sum + cidrCount, 0)];
}

const instance = { enis: 3, ipv4PerEni: 10 };

describe("S21: the pool follows what is attached", () => {
  test.each([
    ["addresses", (...last: number[]) => ({ addresses: last.map((host) => `10.0.1.${host}`) })],
    ["prefixes", (...last: number[]) => ({ ipv4Prefixes: last.map((block) => `10.0.${block}.0/28`) })],
  ])("%s", (what, blocks) => {
    const cloud = new FakeCloud({
      instance,
      settings: { prefixDelegation: what === "prefixes" },
      primary: false,
    });
    expect(reconcile(cloud, [seen("eni-0", blocks(1, 2))])).toEqual([1, 2]);
    expect(reconcile(cloud, [seen("eni-0")])).toEqual([1, 0]);
    expect(reconcile(cloud, [seen("eni-0"), seen("eni-1", blocks(3))])).toEqual([2, 1]);
    expect(reconcile(cloud, [seen("eni-0")])).toEqual([1, 0]);
  });
});

describe("S22: doubtful metadata", () => {
  const held = (): FakeCloud => {
    const cloud = new FakeCloud({ instance });
    for (const block of ["10.0.1.1/32", "10.0.1.2/32"]) cloud.pool.addCidr("eni-0", block);
    return cloud;
  };

  test("nothing readable changes nothing", () => {
    expect(reconcile(held(), undefined)).toEqual([1, 2]);
  });

  test("a difference is only believed when EC2 says the same", () => {
    const cloud = held();
    expect(reconcileSteps(cloud.ledger, [seen("eni-0")], () => false)).toEqual([
      { kind: "ask-ec2", card: 0, eniId: "eni-0" },
    ]);
    const known = cloud.pool.eni("eni-0");
    if (known === undefined) throw new Error("no eni-0");
    const truth = seen("eni-0", { addresses: ["10.0.1.2", "10.0.1.1"] });
    expect(blockChanges(known, truth, () => false)).toEqual({ add: [], remove: [] });
  });

  test("no difference asks nobody; the ENI's own address is none", () => {
    const same = seen("eni-0", { addresses: ["10.0.0.10", "10.0.1.1", "10.0.1.2"] });
    expect(reconcileSteps(held().ledger, [same], () => false)).toEqual([]);
  });
});

test("pods lose an address that EC2 has taken away, and the caller learns which", () => {
  const cloud = new FakeCloud({ instance });
  cloud.pool.addCidr("eni-0", "10.0.1.1/32");
  cloud.pool.assign(podKey(1), undefined, 0);
  const evicted = applyBlockChanges(cloud.pool, "eni-0", { add: ["10.0.1.9/32"], remove: ["10.0.1.1/32"] });
  expect(evicted.map(({ key, address }) => [key, address])).toEqual([[podKey(1), "10.0.1.1"]]);
});

test("what was given back is not taken in again for 60 s", () => {
  const cloud = new FakeCloud({ instance, settings: { warmIpTarget: 1 } });
  for (const block of ["10.0.1.1/32", "10.0.1.2/32"]) cloud.pool.addCidr("eni-0", block);
  cloud.settle();
  const lagging = [seen("eni-0", { addresses: ["10.0.1.1", "10.0.1.2"] })];
  expect(reconcile(cloud, lagging)).toEqual([1, 1]);
  cloud.now += 60_000;
  expect(reconcile(cloud, lagging)).toEqual([1, 1]);
  cloud.now += 1;
  expect(reconcile(cloud, lagging)).toEqual([1, 2]);
});

test("ENIs with an action under way are left alone, and unmanaged ones always", () => {
  const cloud = new FakeCloud({ instance, settings: { warmEniTarget: 2 } });
  cloud.begin();
  expect(
    reconcileSteps(cloud.ledger, [seen("eni-0", { addresses: ["10.0.1.1"] }), seen("eni-1")], () => false),
  ).toEqual([]);
  const quiet = new FakeCloud({ instance });
  expect(reconcileSteps(quiet.ledger, [seen("eni-0"), seen("eni-1")], (id) => id === "eni-1")).toEqual([]);
});

test("a reconcile is due when the pool has been left alone for more than 60 s, or a trunk is awaited", () => {
  expect(reconcileDueAt({ lastPoolActionAt: 1000 }, false)).toBe(61_001);
  expect(reconcileDueAt({ lastPoolActionAt: 1000 }, true)).toBe(0);
  expect(reconcileDueAt({ lastPoolActionAt: undefined }, false)).toBe(0);
});
