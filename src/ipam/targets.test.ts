import { describe, expect, test } from "bun:test";
import { addressesPerPrefix, cardTargets, effectiveSettings, type SettingsInput } from "./settings.ts";
import { type Counts, shortage, surplus } from "./targets.ts";

const nitro = { hypervisor: "nitro", bareMetal: false, trunkCapable: true } as const;

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
