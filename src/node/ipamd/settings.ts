import type { Ec2 } from "../../aws/ec2.ts";
import { EniverseError } from "../../base/error.ts";
import { type EffectiveSettings, effectiveSettings, type InstanceFacts } from "../../ipam/settings.ts";
import { instanceLimits } from "../../limits/instance-types.ts";
import type { NodeEnvironment } from "../environment.ts";

/** What ipamd must know of the instance's type. */
export interface TypeLimits extends InstanceFacts {
  readonly cardCount: number;
}

/**
 * The limits of an instance type from our table, or by EC2's word for a newer type: then of the first card, as in
 * the table. Throws `unsupported` when EC2's answer makes no sense.
 */
export async function typeLimits(ec2: Ec2, instanceType: string): Promise<TypeLimits> {
  const known = instanceLimits(instanceType);
  if (known !== undefined) {
    const { enis, ipv4PerEni, hypervisor, bareMetal, trunkCapable, cards } = known;
    return { enis, ipv4PerEni, hypervisor, bareMetal, trunkCapable, cardCount: cards.length };
  }
  const told = await ec2.describeInstanceType(instanceType);
  const enis = told.cards[0] ?? told.maximumNetworkInterfaces;
  if (enis < 1 || told.ipv4PerEni < 1) {
    throw new EniverseError("unsupported", {
      attempted: `learn the limits of ${instanceType}`,
      found: `${enis} ENIs with ${told.ipv4PerEni} addresses each`,
      wanted: "at least one of both",
    });
  }
  return {
    enis,
    ipv4PerEni: told.ipv4PerEni,
    hypervisor: told.hypervisor,
    bareMetal: told.bareMetal,
    trunkCapable: true,
    cardCount: Math.max(told.cards.length, 1),
  };
}

/** The settings of the decision core, from the environment and the type's limits. */
export function coreSettings(env: NodeEnvironment, limits: TypeLimits): EffectiveSettings {
  return effectiveSettings(
    {
      ipv4: env.enableIpv4,
      ipv6: env.enableIpv6,
      prefixDelegation: env.enablePrefixDelegation,
      warmIpTarget: env.warmIpTarget,
      minimumIpTarget: env.minimumIpTarget,
      warmEniTarget: env.warmEniTarget,
      warmPrefixTarget: env.warmPrefixTarget,
      ...(env.maxEni === undefined ? {} : { maxEni: env.maxEni }),
      cooldownMs: env.ipCooldownSeconds * 1000,
      customNetworking: env.customNetworkCfg,
      subnetDiscovery: env.enableSubnetDiscovery,
      multiNic: env.enableMultiNic,
      podEni: env.enablePodEni,
      manageNonSchedulable: env.manageEnisNonSchedulable,
      manageUntagged: env.manageUntaggedEni,
      provisioningDisabled: env.disableProvisioning,
      imdsOnly: env.enableImdsOnlyMode,
      leakedEniCleanupDisabled: env.disableLeakedEniCleanup,
    },
    limits,
  );
}
