import { EniverseError } from "../base/error.ts";
import type { SettingsInput } from "../ipam/settings.ts";

type Read = (text: string) => Partial<SettingsInput> | undefined;

const flag =
  (key: keyof SettingsInput): Read =>
  (text) =>
    text === "true" || text === "false" ? { [key]: text === "true" } : undefined;

const count =
  (key: keyof SettingsInput, factor = 1): Read =>
  (text) =>
    /^\d{1,6}$/.test(text) ? { [key]: Number(text) * factor } : undefined;

/** The variables of aws-node that decide about addresses. */
const variables: Readonly<Record<string, { readonly read: Read; readonly wanted: string }>> = {
  ENABLE_PREFIX_DELEGATION: { read: flag("prefixDelegation"), wanted: "true or false" },
  WARM_IP_TARGET: { read: count("warmIpTarget"), wanted: "a whole number" },
  MINIMUM_IP_TARGET: { read: count("minimumIpTarget"), wanted: "a whole number" },
  WARM_ENI_TARGET: { read: count("warmEniTarget"), wanted: "a whole number" },
  WARM_PREFIX_TARGET: { read: count("warmPrefixTarget"), wanted: "a whole number" },
  MAX_ENI: { read: count("maxEni"), wanted: "a whole number" },
  IP_COOLDOWN_PERIOD: { read: count("cooldownMs", 1000), wanted: "whole seconds" },
  AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG: { read: flag("customNetworking"), wanted: "true or false" },
  ENABLE_SUBNET_DISCOVERY: { read: flag("subnetDiscovery"), wanted: "true or false" },
  AWS_MANAGE_ENIS_NON_SCHEDULABLE: { read: flag("manageNonSchedulable"), wanted: "true or false" },
  DISABLE_NETWORK_RESOURCE_PROVISIONING: { read: flag("provisioningDisabled"), wanted: "true or false" },
  DISABLE_LEAKED_ENI_CLEANUP: { read: flag("leakedEniCleanupDisabled"), wanted: "true or false" },
};

/** The core's settings from aws-node's environment. Throws for variables that the simulator does not know. */
export function settingsFromEnv(env: Readonly<Record<string, string>>, field: string): SettingsInput {
  let input: SettingsInput = {};
  for (const [name, text] of Object.entries(env)) {
    const variable = variables[name];
    const value = variable?.read(text.trim());
    if (value === undefined) {
      throw new EniverseError("invalid_argument", {
        attempted: `use ${field}.${name}`,
        found:
          variable === undefined ? "a variable that plays no part in a simulation" : JSON.stringify(text),
        wanted: variable?.wanted ?? `one of ${Object.keys(variables).join(", ")}`,
        facts: { field: `${field}.${name}` },
      });
    }
    input = { ...input, ...value };
  }
  return input;
}
