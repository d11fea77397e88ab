import { expect, test } from "bun:test";
import { explainReason } from "./explain.ts";
import { FakeCloud } from "./fake-cloud.ts";
import type { Decision, RuleName } from "./types.ts";

/** Decisions in which each rule speaks that a node by itself can come to. */
function decisions(): Decision[] {
  const seen: Decision[] = [];
  const instance = { enis: 2, ipv4PerEni: 5 };
  for (const settings of [
    { warmIpTarget: 2, minimumIpTarget: 3 },
    { warmEniTarget: 1, podEni: true },
    { warmEniTarget: 0 },
    { prefixDelegation: true },
    { ipv4: false, ipv6: true, prefixDelegation: true },
    { provisioningDisabled: true },
    { warmIpTarget: 1, customNetworking: true },
  ]) {
    const cloud = new FakeCloud({ instance, settings, maxPods: 8 });
    const look = (): void => void seen.push(cloud.decide());
    for (const pods of [0, 1, 9, 0, 0, 0, 3, 0]) {
      cloud.land(pods);
      look();
      for (const inFlight of cloud.begin()) cloud.finish(inFlight);
      look();
      cloud.now += 16_000;
      look();
    }
    cloud.fullSubnets.add("subnet-a");
    cloud.land(8);
    for (let round = 0; round < 3; round++) {
      for (const inFlight of cloud.begin()) cloud.finish(inFlight);
      look();
    }
    cloud.ledger.cordoned = true;
    look();
    cloud.ledger.terminating = true;
    look();
  }
  return seen;
}

test("every reason is a whole sentence without holes", () => {
  const rules = new Set<RuleName>();
  for (const { actions, notes } of decisions()) {
    for (const reason of [...actions.map((planned) => planned.reason), ...notes]) {
      rules.add(reason.rule);
      expect(explainReason(reason)).not.toMatch(/undefined|NaN|an unknown time/);
    }
  }
  for (const rule of [
    "demand",
    "warm-ip-target",
    "warm-prefix-target",
    "enough",
    "max-eni",
    "cordoned",
    "terminating",
    "cooling",
    "eni-too-young",
    "insufficient-back-off",
    "provisioning-disabled",
    "ipv6-prefix",
    "trunk",
  ] as const)
    expect([...rules]).toContain(rule);
});

test("a reason names its card and its settings", () => {
  expect(
    explainReason({ rule: "max-eni", card: 1, settings: ["MAX_ENI"], values: { enis: 2, allowed: 2 } }),
  ).toBe("card 1: the node has 2 ENIs on this card, and 2 are allowed (MAX_ENI)");
});
