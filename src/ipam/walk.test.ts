import { expect, test } from "bun:test";
import fc from "fast-check";
import { checkPool } from "./check-pool.ts";
import { FakeCloud, podKey } from "./fake-cloud.ts";
import { createPool } from "./pool.ts";
import type { SettingsInput } from "./settings.ts";
import type { AddressMode, InFlight, Released } from "./types.ts";

// Stories are told by fast-check: on failure it prints its seed and the shortest list of steps that still fails.

const cooldownMs = 30_000;

interface PoolStep {
  readonly kind:
    | "assign"
    | "cancel assign"
    | "unassign"
    | "cancel unassign"
    | "add block"
    | "remove block"
    | "add ENI"
    | "remove ENI"
    | "exclude"
    | "wait";
  readonly pick: number;
}

const poolStep: fc.Arbitrary<PoolStep> = fc.record({
  kind: fc.oneof(
    { weight: 6, arbitrary: fc.constantFrom<PoolStep["kind"]>("assign", "unassign", "wait") },
    {
      weight: 4,
      arbitrary: fc.constantFrom<PoolStep["kind"]>(
        "add block",
        "remove block",
        "cancel assign",
        "cancel unassign",
      ),
    },
    { weight: 1, arbitrary: fc.constantFrom<PoolStep["kind"]>("add ENI", "remove ENI", "exclude") },
  ),
  pick: fc.nat(63),
});

const modes: readonly AddressMode[] = ["secondary-ip", "prefix", "ipv6"];

function blockNumber(mode: AddressMode, pick: number): string {
  if (mode === "secondary-ip") return `10.0.0.${pick}/32`;
  return mode === "prefix" ? `10.0.${pick}.16/28` : `2001:db8:0:1:${(pick + 1).toString(16)}::/80`;
}

function walkPool(mode: AddressMode, steps: readonly PoolStep[]): void {
  const pool = createPool({ card: 0, mode, cooldownMs });
  const held = new Map<string, string>();
  const releasedAt = new Map<string, number>();
  let last: Released | undefined;
  let now = 0;
  for (const { kind, pick } of steps) {
    const enis = pool.enis();
    const eni = enis[pick % Math.max(enis.length, 1)];
    const key = podKey(pick);
    const blocks = eni?.cidrs() ?? [];
    const block = blocks[pick % Math.max(blocks.length, 1)];
    const name = JSON.stringify(key);
    if (kind !== "cancel unassign") last = kind === "unassign" ? last : undefined;
    if (kind === "assign") {
      const answer = pool.assign(key, undefined, now);
      if (!answer.ok) {
        expect(pool.stats(now).assignable).toBe(0);
        if (answer.coolingUntil !== undefined) expect(answer.coolingUntil).toBeGreaterThan(now);
        continue;
      }
      const { address } = answer.assignment;
      if (answer.fresh) {
        expect([...held.values()]).not.toContain(address);
        const released = releasedAt.get(address);
        if (released !== undefined) expect(now - released).toBeGreaterThan(cooldownMs);
        expect(pool.eni(answer.assignment.eniId)?.excluded).toBe(false);
      } else expect(held.get(name)).toBe(address);
      held.set(name, address);
    } else if (kind === "cancel assign") {
      pool.cancelAssign(key);
      held.delete(name);
    } else if (kind === "unassign") {
      last = pool.unassign(key, now);
      expect(last?.assignment.address).toBe(held.get(name) as string);
      if (last !== undefined) releasedAt.set(last.assignment.address, now);
      held.delete(name);
    } else if (kind === "cancel unassign" && last !== undefined) {
      pool.cancelUnassign(last);
      held.set(JSON.stringify(last.assignment.key), last.assignment.address);
      last = undefined;
    } else if (kind === "add ENI" && enis.length < 4 && pool.eni(`eni-${pick}`) === undefined) {
      const facts = { id: `eni-${pick}`, deviceNumber: pick, routeTable: pick + 1, subnetId: "subnet-a" };
      pool.addEni({ ...facts, primary: enis.length === 0, trunk: false, efa: false, excluded: false }, now);
    } else if (kind === "remove ENI" && eni !== undefined) {
      for (const evicted of pool.removeEni(eni.id, { force: true })) held.delete(JSON.stringify(evicted.key));
      // What has left the pool may come back as a new block, with no memory of its releases.
      for (const gone of blocks) for (const each of gone.addresses()) releasedAt.delete(each.address);
    } else if (kind === "add block" && eni !== undefined) {
      const cidr = blockNumber(mode, pick);
      if (enis.every((each) => each.cidr(cidr) === undefined)) pool.addCidr(eni.id, cidr);
    } else if (kind === "remove block" && eni !== undefined && block !== undefined) {
      for (const gone of block.addresses()) releasedAt.delete(gone.address);
      for (const evicted of pool.removeCidr(eni.id, block.cidr, { force: true }))
        held.delete(JSON.stringify(evicted.key));
    } else if (kind === "exclude" && eni !== undefined) {
      pool.setExcluded(eni.id, !eni.excluded);
    } else if (kind === "wait") {
      now += pick * 1000;
    }
    expect(pool.assignments().length).toBe(held.size);
  }
  expect(checkPool(pool, now)).toEqual([]);
  for (const { key, address } of pool.assignments()) expect(held.get(JSON.stringify(key))).toBe(address);
}

test("a pool stays whole on any walk", () => {
  const start: PoolStep[] = [
    { kind: "add ENI", pick: 0 },
    { kind: "add block", pick: 1 },
  ];
  fc.assert(
    fc.property(
      fc.constantFrom(...modes),
      fc.array(poolStep, { maxLength: 150, size: "max" }),
      (mode, steps) => walkPool(mode, [...start, ...steps]),
    ),
    { numRuns: 150 },
  );
});

interface NodeStep {
  readonly kind:
    | "scale"
    | "begin"
    | "finish"
    | "fail"
    | "fill subnet"
    | "free subnet"
    | "cordon"
    | "wait"
    | "lose ENI";
  readonly pick: number;
}

const nodeStep: fc.Arbitrary<NodeStep> = fc.record({
  kind: fc.oneof(
    { weight: 8, arbitrary: fc.constantFrom<NodeStep["kind"]>("scale", "begin", "finish", "wait") },
    {
      weight: 1,
      arbitrary: fc.constantFrom<NodeStep["kind"]>(
        "fail",
        "fill subnet",
        "free subnet",
        "cordon",
        "lose ENI",
      ),
    },
  ),
  pick: fc.nat(40),
});

const settingsOf: fc.Arbitrary<SettingsInput> = fc.record({
  warmEniTarget: fc.nat(2),
  warmPrefixTarget: fc.nat(2),
  warmIpTarget: fc.constantFrom(0, 0, 1, 3, 7),
  minimumIpTarget: fc.constantFrom(0, 0, 4, 10),
  prefixDelegation: fc.boolean(),
  customNetworking: fc.boolean(),
  subnetDiscovery: fc.boolean(),
  maxEni: fc.constantFrom(2, 3, 4),
});

function walkNode(settings: SettingsInput, steps: readonly NodeStep[]): void {
  const cloud = new FakeCloud({ instance: { enis: 4, ipv4PerEni: 6 }, settings });
  const { ledger, pool } = cloud;
  const inFlight: InFlight[] = [];
  const check = (): void => {
    const underWay = ledger.inFlight.filter(({ action }) => action.kind === "create-eni").length;
    expect(pool.enis().length + underWay).toBeLessThanOrEqual(cloud.settings.maxEni);
    for (const eni of pool.enis()) {
      const ordered = ledger.inFlight.map(({ action }) =>
        action.kind === "assign" && action.eniId === eni.id ? action.count : 0,
      );
      expect(eni.cidrCount + ordered.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(5);
    }
    expect(checkPool(pool, cloud.now)).toEqual([]);
  };
  for (const { kind, pick } of steps) {
    const [one] = inFlight.splice(
      pick % Math.max(inFlight.length, 1),
      kind === "finish" || kind === "fail" ? 1 : 0,
    );
    if (kind === "scale") cloud.land(pick);
    else if (kind === "begin") inFlight.push(...cloud.begin());
    else if (kind === "finish" && one !== undefined) cloud.finish(one);
    else if (kind === "fail" && one !== undefined)
      ledger.finish(one.id, { kind: "failed", error: "Throttling", insufficientSubnets: [] }, cloud.now);
    else if (kind === "fill subnet") cloud.fullSubnets.add("subnet-a");
    else if (kind === "free subnet") cloud.fullSubnets.clear();
    else if (kind === "cordon") ledger.cordoned = pick % 2 === 0;
    else if (kind === "wait") cloud.now += pick * 2000;
    else if (kind === "lose ENI") {
      const lost = pool.enis()[pick % 4];
      const busy = ledger.inFlight.some(({ action }) => "eniId" in action && action.eniId === lost?.id);
      if (lost !== undefined && !lost.primary && lost.assigned === 0 && !busy) pool.removeEni(lost.id);
    }
    check();
  }
  cloud.fullSubnets.clear();
  ledger.cordoned = false;
  for (const each of inFlight) cloud.finish(each);
  cloud.settle();
  check();
  expect(ledger.inFlight).toEqual([]);
  const { notes } = cloud.decide();
  if (ledger.waiting.anyCard > 0) expect(notes.map(({ rule }) => rule)).toContain("max-eni");
  cloud.now += 3_600_000;
  expect(cloud.decide().actions).toEqual([]);
}

test("a node comes to rest from any walk, within its limits, with every pod served that can be", () => {
  fc.assert(fc.property(settingsOf, fc.array(nodeStep, { maxLength: 60, size: "max" }), walkNode), {
    numRuns: 150,
  });
});
