import type { SettingsInput } from "../ipam/settings.ts";
import { badField, wholeNumber } from "./field.ts";

/**
 * Which addresses pods get. The custom modes take them from subnets that ENIConfigs name, the discovery modes from
 * subnets that aws-node finds by their tag; the others from the nodes' subnets.
 */
export type PlanMode =
  | "secondary-ip"
  | "prefix"
  | "custom"
  | "custom-prefix"
  | "discovery"
  | "discovery-prefix"
  | "ipv6";

export const planModes: readonly PlanMode[] = [
  "secondary-ip",
  "prefix",
  "custom",
  "custom-prefix",
  "discovery",
  "discovery-prefix",
  "ipv6",
];

/** The warm settings of aws-node that a plan may set; absent ones have the manifest's defaults. */
export interface WarmSettings {
  readonly warmIpTarget?: number;
  readonly minimumIpTarget?: number;
  readonly warmEniTarget?: number;
  readonly warmPrefixTarget?: number;
  readonly maxEni?: number;
}

/** The settings and the variables of aws-node that hold them. */
export const warmVariables: readonly (readonly [keyof WarmSettings, string])[] = [
  ["warmIpTarget", "WARM_IP_TARGET"],
  ["minimumIpTarget", "MINIMUM_IP_TARGET"],
  ["warmEniTarget", "WARM_ENI_TARGET"],
  ["warmPrefixTarget", "WARM_PREFIX_TARGET"],
  ["maxEni", "MAX_ENI"],
];

/** What `ipam/` is driven with for a mode. */
export function settingsOfMode(
  mode: PlanMode,
  warm: WarmSettings = {},
  more: Pick<SettingsInput, "podEni" | "cooldownMs"> = {},
): SettingsInput {
  return {
    ...warm,
    ...more,
    ...(mode === "ipv6" ? { ipv4: false, ipv6: true } : {}),
    prefixDelegation: usesPrefixes(mode) || mode === "ipv6",
    customNetworking: isCustom(mode),
  };
}

export function isCustom(mode: PlanMode): boolean {
  return mode === "custom" || mode === "custom-prefix";
}

export function isDiscovery(mode: PlanMode): boolean {
  return mode === "discovery" || mode === "discovery-prefix";
}

/** Pods have subnets of their own. */
export function hasPodSubnets(mode: PlanMode): boolean {
  return isCustom(mode) || isDiscovery(mode);
}

/**
 * The primary ENI carries no pods: always so with custom networking; with prefixes under discovery because the nodes'
 * subnets are excluded by tag, or the primary ENI's own prefixes would be enough for all pods.
 */
export function leavesPrimaryEmpty(mode: PlanMode): boolean {
  return isCustom(mode) || mode === "discovery-prefix";
}

export function usesPrefixes(mode: PlanMode): boolean {
  return mode === "prefix" || mode === "custom-prefix" || mode === "discovery-prefix";
}

/** Refuses an unknown mode and warm settings that are no whole numbers, or that the entrypoint would refuse. */
export function checkModeAndWarm(mode: PlanMode, warm: WarmSettings, field = "warm"): void {
  if (!planModes.includes(mode))
    throw badField("mode", JSON.stringify(mode), `one of ${planModes.join(", ")}`);
  for (const [key, variable] of warmVariables) {
    const value = warm[key];
    if (value !== undefined)
      wholeNumber(`${field}.${key} (${variable})`, value, key === "maxEni" ? 1 : 0, 10_000);
  }
  // The official entrypoint ends the container for these, and ipamd would have nothing to go by.
  const { warmIpTarget = 0, minimumIpTarget = 0, warmPrefixTarget = 1 } = warm;
  if (usesPrefixes(mode) && warmIpTarget + minimumIpTarget + warmPrefixTarget === 0) {
    throw badField(
      field,
      "WARM_IP_TARGET, MINIMUM_IP_TARGET and WARM_PREFIX_TARGET all 0 with prefix delegation",
      "one of them above 0",
    );
  }
}

/** The environment of aws-node for a mode and its warm settings, as text, as a DaemonSet has it. */
export function awsNodeEnv(mode: PlanMode, warm: WarmSettings = {}): Record<string, string> {
  const env: Record<string, string> = {};
  if (mode === "ipv6") {
    Object.assign(env, { ENABLE_IPv4: "false", ENABLE_IPv6: "true", ENABLE_PREFIX_DELEGATION: "true" });
  }
  if (usesPrefixes(mode)) env.ENABLE_PREFIX_DELEGATION = "true";
  if (isCustom(mode)) {
    env.AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG = "true";
    env.ENI_CONFIG_LABEL_DEF = "topology.kubernetes.io/zone";
  }
  for (const [key, variable] of warmVariables) {
    const value = warm[key];
    if (value !== undefined) env[variable] = String(value);
  }
  return env;
}

/** "WARM_IP_TARGET=2 MINIMUM_IP_TARGET=12", or the default that holds in the mode. */
export function describeWarm(mode: PlanMode, warm: WarmSettings): string {
  const set = warmVariables.flatMap(([key, variable]) =>
    warm[key] === undefined ? [] : [`${variable}=${warm[key]}`],
  );
  if (set.length > 0) return set.join(" ");
  if (mode === "ipv6") return "no warm settings";
  return usesPrefixes(mode) ? "WARM_PREFIX_TARGET=1 (default)" : "WARM_ENI_TARGET=1 (default)";
}
