import { EniverseError } from "../base/error.ts";
import type { AddressMode } from "./types.ts";

/** What a user may set, parsed but not yet held against the instance type. Absent means the default. */
export interface SettingsInput {
  /** ENABLE_IPv4, ENABLE_IPv6. Defaults as in the manifest: true, false. */
  readonly ipv4?: boolean;
  readonly ipv6?: boolean;
  /** ENABLE_PREFIX_DELEGATION. */
  readonly prefixDelegation?: boolean;
  /** WARM_IP_TARGET, MINIMUM_IP_TARGET: 0 is "not set". */
  readonly warmIpTarget?: number;
  readonly minimumIpTarget?: number;
  /** WARM_ENI_TARGET; default 1. */
  readonly warmEniTarget?: number;
  /** WARM_PREFIX_TARGET; default 1 as in the manifest. */
  readonly warmPrefixTarget?: number;
  /** MAX_ENI; can only lower the type's limit, values below 1 are ignored. */
  readonly maxEni?: number;
  /** IP_COOLDOWN_PERIOD, here in milliseconds; default 30 000. */
  readonly cooldownMs?: number;
  /** AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG. */
  readonly customNetworking?: boolean;
  /** ENABLE_SUBNET_DISCOVERY; default true. */
  readonly subnetDiscovery?: boolean;
  /** ENABLE_MULTI_NIC. */
  readonly multiNic?: boolean;
  /** ENABLE_POD_ENI. */
  readonly podEni?: boolean;
  /** AWS_MANAGE_ENIS_NON_SCHEDULABLE. */
  readonly manageNonSchedulable?: boolean;
  /** MANAGE_UNTAGGED_ENI; default true. */
  readonly manageUntagged?: boolean;
  /** DISABLE_NETWORK_RESOURCE_PROVISIONING. */
  readonly provisioningDisabled?: boolean;
  /** ENABLE_IMDS_ONLY_MODE; implies disabled provisioning. */
  readonly imdsOnly?: boolean;
  /** DISABLE_LEAKED_ENI_CLEANUP. */
  readonly leakedEniCleanupDisabled?: boolean;
}

/** What the core must know of the instance; `limits/` has it for every known type. */
export interface InstanceFacts {
  /** ENIs of the default card. */
  readonly enis: number;
  /** IPv4 addresses per ENI, the primary one included. */
  readonly ipv4PerEni: number;
  readonly hypervisor: "nitro" | "xen" | "unknown";
  readonly bareMetal: boolean;
  /** False when no trunk ENI can be attached; unknown types count as capable. */
  readonly trunkCapable: boolean;
}

/** The effective settings of one node. */
export interface Settings {
  readonly mode: AddressMode;
  readonly warmIpTarget: number;
  readonly minimumIpTarget: number;
  readonly warmEniTarget: number;
  readonly warmPrefixTarget: number;
  /** ENIs per card: the type's limit or MAX_ENI, whichever is lower. */
  readonly maxEni: number;
  /** Secondary addresses, or prefixes, that one ENI can hold. */
  readonly slotsPerEni: number;
  readonly cooldownMs: number;
  readonly customNetworking: boolean;
  readonly subnetDiscovery: boolean;
  readonly multiNic: boolean;
  readonly podEni: boolean;
  readonly trunkCapable: boolean;
  readonly manageNonSchedulable: boolean;
  readonly manageUntagged: boolean;
  /** False: never assign or release anything in EC2. */
  readonly provisioning: boolean;
  readonly imdsOnly: boolean;
  readonly leakedEniCleanup: boolean;
}

/** Addresses in one /28. */
export const addressesPerPrefix = 16;

/** Settings with what was adjusted on the way, as sentences for the log. */
export interface EffectiveSettings {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

/**
 * Works out what holds on an instance. Throws `invalid_argument` for combinations that cannot work; prefix
 * delegation on a type without it is only a warning, and the node then uses secondary addresses.
 */
export function effectiveSettings(input: SettingsInput, instance: InstanceFacts): EffectiveSettings {
  const ipv4 = input.ipv4 ?? true;
  const ipv6 = input.ipv6 ?? false;
  const prefixes = input.prefixDelegation ?? false;
  const custom = input.customNetworking ?? false;
  const canHoldPrefixes = instance.hypervisor === "nitro" || instance.bareMetal;
  if (ipv4 && ipv6) {
    throw refused("ENABLE_IPv4 and ENABLE_IPv6 are both true", "exactly one of them true");
  }
  if (!ipv4 && !ipv6) {
    throw refused("ENABLE_IPv4 and ENABLE_IPv6 are both false", "exactly one of them true");
  }
  if (ipv6 && !prefixes) {
    throw refused("ENABLE_IPv6 without ENABLE_PREFIX_DELEGATION", "ENABLE_PREFIX_DELEGATION=true with IPv6");
  }
  if (ipv6 && custom) {
    throw refused(
      "ENABLE_IPv6 with AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG",
      "custom networking on IPv4 clusters only",
    );
  }
  if (ipv6 && !canHoldPrefixes) {
    throw refused(
      `ENABLE_IPv6 on a type whose hypervisor is ${instance.hypervisor}`,
      "a Nitro or bare-metal instance type",
    );
  }

  const warnings: string[] = [];
  const mode: AddressMode = ipv6 ? "ipv6" : prefixes && canHoldPrefixes ? "prefix" : "secondary-ip";
  if (!ipv6 && prefixes && !canHoldPrefixes) {
    warnings.push(
      "ENABLE_PREFIX_DELEGATION needs a Nitro or bare-metal instance type; secondary addresses are used instead",
    );
  }
  const maxEni = input.maxEni !== undefined && input.maxEni >= 1 ? input.maxEni : instance.enis;
  const imdsOnly = input.imdsOnly ?? false;
  const provisioning = !(input.provisioningDisabled ?? false) && !imdsOnly;
  const settings: Settings = {
    mode,
    warmIpTarget: target("WARM_IP_TARGET", input.warmIpTarget, 0),
    minimumIpTarget: target("MINIMUM_IP_TARGET", input.minimumIpTarget, 0),
    warmEniTarget: target("WARM_ENI_TARGET", input.warmEniTarget, 1),
    warmPrefixTarget: target("WARM_PREFIX_TARGET", input.warmPrefixTarget, 1),
    maxEni: Math.min(instance.enis, maxEni),
    slotsPerEni: instance.ipv4PerEni - 1,
    cooldownMs: target("IP_COOLDOWN_PERIOD", input.cooldownMs, 30_000),
    customNetworking: custom,
    subnetDiscovery: input.subnetDiscovery ?? true,
    multiNic: input.multiNic ?? false,
    podEni: input.podEni ?? false,
    trunkCapable: instance.trunkCapable,
    manageNonSchedulable: input.manageNonSchedulable ?? false,
    manageUntagged: input.manageUntagged ?? true,
    provisioning,
    imdsOnly,
    leakedEniCleanup: provisioning && !ipv6 && !(input.leakedEniCleanupDisabled ?? false),
  };
  return { settings, warnings };
}

function target(name: string, value: number | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new EniverseError("invalid_argument", {
      attempted: `use ${name}`,
      found: String(value),
      wanted: "a whole number of 0 or more",
    });
  }
  return value;
}

function refused(found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", { attempted: "start with these settings", found, wanted });
}

/** The warm targets of one card. */
export interface CardTargets {
  readonly warmIp: number;
  readonly minimumIp: number;
  /** True when addresses, not whole ENIs or prefixes, are counted. */
  readonly byAddress: boolean;
  readonly warmEni: number;
  readonly warmPrefix: number;
}

/** Card 0 follows the environment; every other card keeps one address in hand. */
export function cardTargets(settings: Settings, card: number): CardTargets {
  if (card > 0) return { warmIp: 1, minimumIp: 1, byAddress: true, warmEni: 0, warmPrefix: 0 };
  return {
    warmIp: settings.warmIpTarget,
    minimumIp: settings.minimumIpTarget,
    byAddress: settings.warmIpTarget !== 0 || settings.minimumIpTarget !== 0,
    warmEni: settings.warmEniTarget,
    warmPrefix: settings.warmPrefixTarget,
  };
}
