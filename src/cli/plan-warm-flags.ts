import type { Command } from "commander";
import type { WarmSettings } from "../plan/warm-settings.ts";
import { wholeNumber } from "./whole-number.ts";

/** The warm settings as flags, named after the variables of aws-node. */
export interface WarmFlags {
  readonly warmIpTarget?: number;
  readonly minimumIpTarget?: number;
  readonly warmEniTarget?: number;
  readonly warmPrefixTarget?: number;
  readonly maxEni?: number;
}

export function withWarm(command: Command): Command {
  return command
    .option("--warm-ip-target <n>", "WARM_IP_TARGET", wholeNumber)
    .option("--minimum-ip-target <n>", "MINIMUM_IP_TARGET", wholeNumber)
    .option("--warm-eni-target <n>", "WARM_ENI_TARGET", wholeNumber)
    .option("--warm-prefix-target <n>", "WARM_PREFIX_TARGET", wholeNumber)
    .option("--max-eni <n>", "MAX_ENI", wholeNumber);
}

export function warmOf(flags: WarmFlags): WarmSettings {
  const names = ["warmIpTarget", "minimumIpTarget", "warmEniTarget", "warmPrefixTarget", "maxEni"] as const;
  return Object.fromEntries(
    names.flatMap((name) => (flags[name] === undefined ? [] : [[name, flags[name]]])),
  );
}
