import { describe, expect, test } from "bun:test";
import { cardTargets, effectiveSettings, type InstanceFacts, type SettingsInput } from "./settings.ts";

const nitro: InstanceFacts = {
  enis: 3,
  ipv4PerEni: 10,
  hypervisor: "nitro",
  bareMetal: false,
  trunkCapable: true,
};
const xen: InstanceFacts = { ...nitro, hypervisor: "xen" };
const of = (input: SettingsInput, instance = nitro) => effectiveSettings(input, instance).settings;

describe("S25: combinations", () => {
  test.each<[string, SettingsInput, InstanceFacts]>([
    ["both true", { ipv4: true, ipv6: true, prefixDelegation: true }, nitro],
    ["both false", { ipv4: false }, nitro],
    ["ENABLE_IPv6 without ENABLE_PREFIX_DELEGATION", { ipv4: false, ipv6: true }, nitro],
    [
      "ENABLE_IPv6 with AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
      { ipv4: false, ipv6: true, prefixDelegation: true, customNetworking: true },
      nitro,
    ],
    ["hypervisor is xen", { ipv4: false, ipv6: true, prefixDelegation: true }, xen],
  ])("refused: %s", (message, input, instance) => {
    expect(() => effectiveSettings(input, instance)).toThrow(message);
  });

  test("prefixes on a type without them are a warning", () => {
    const { settings, warnings } = effectiveSettings({ prefixDelegation: true }, xen);
    expect(settings.mode).toBe("secondary-ip");
    expect(warnings).toEqual([expect.stringContaining("Nitro or bare-metal")]);
    const metal = { ...xen, hypervisor: "unknown", bareMetal: true } as const;
    expect(of({ prefixDelegation: true }, metal).mode).toBe("prefix");
    expect(of({ ipv4: false, ipv6: true, prefixDelegation: true }, metal).mode).toBe("ipv6");
  });
});

test("defaults are those of the manifest", () => {
  expect(effectiveSettings({}, nitro)).toEqual({
    warnings: [],
    settings: {
      mode: "secondary-ip",
      warmIpTarget: 0,
      minimumIpTarget: 0,
      warmEniTarget: 1,
      warmPrefixTarget: 1,
      maxEni: 3,
      slotsPerEni: 9,
      cooldownMs: 30_000,
      customNetworking: false,
      subnetDiscovery: true,
      multiNic: false,
      podEni: false,
      trunkCapable: true,
      manageNonSchedulable: false,
      manageUntagged: true,
      provisioning: true,
      imdsOnly: false,
      leakedEniCleanup: true,
    },
  });
});

test("MAX_ENI can only lower the limit", () => {
  expect([0, -1, 1, 2, 9].map((maxEni) => of({ maxEni }).maxEni)).toEqual([3, 3, 1, 2, 3]);
});

test("metadata-only mode disables provisioning, and both the search for leaked ENIs", () => {
  for (const input of [{ imdsOnly: true }, { provisioningDisabled: true }])
    expect(of(input)).toMatchObject({ provisioning: false, leakedEniCleanup: false });
  expect(of({ leakedEniCleanupDisabled: true })).toMatchObject({
    provisioning: true,
    leakedEniCleanup: false,
  });
});

test("targets are whole numbers", () => {
  expect(() => of({ warmIpTarget: -1 })).toThrow("cannot use WARM_IP_TARGET: -1");
  expect(() => of({ cooldownMs: 1.5 })).toThrow("IP_COOLDOWN_PERIOD");
});

test("address targets come before the others; extra cards have their own", () => {
  expect(cardTargets(of({}), 0)).toMatchObject({ byAddress: false, warmEni: 1 });
  expect(cardTargets(of({ minimumIpTarget: 3 }), 0)).toMatchObject({
    byAddress: true,
    warmIp: 0,
    minimumIp: 3,
  });
  expect(cardTargets(of({ warmIpTarget: 7 }), 1)).toMatchObject({ byAddress: true, warmIp: 1, minimumIp: 1 });
});
