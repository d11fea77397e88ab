import { describe, expect, test } from "bun:test";
import { officialSteadyStates, type WarmSettings } from "../ipam/steady-state-table.ts";
import { type BurstInput, simulateBurst } from "./burst.ts";

/** The settings as aws-node has them. */
function variables(warm: WarmSettings): Record<string, string> {
  const values = {
    WARM_ENI_TARGET: warm.warmEniTarget,
    WARM_IP_TARGET: warm.warmIpTarget,
    MINIMUM_IP_TARGET: warm.minimumIpTarget,
    WARM_PREFIX_TARGET: warm.warmPrefixTarget,
  };
  return Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [[name, String(value)]])),
  );
}

const cases = officialSteadyStates.flatMap(([type, warm, states]) => {
  const mode = warm.prefixDelegation === true ? ("prefix" as const) : ("secondary-ip" as const);
  return states.map(([pods, perEni]) => ({ mode, type, settings: variables(warm), pods, perEni }));
});

describe.each(["official", "eniverse"] as const)("under the %s algorithm a burst comes to rest", (driver) => {
  test.each(cases)("%j", (row) => {
    const { mode, type: instanceType, settings, pods, perEni } = row;
    const input: BurstInput = { instanceType, mode, settings, pods, driver, maxPods: 250 };
    const { addressesHeld, enis } = simulateBurst(input);
    const slots = perEni.reduce((sum, count) => sum + count, 0);
    expect({ addressesHeld, enis }).toEqual({
      addressesHeld: slots * (mode === "prefix" ? 16 : 1),
      enis: perEni.length,
    });
  });
});
