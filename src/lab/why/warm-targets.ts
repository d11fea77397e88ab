import type { NodeSeen } from "./observation.ts";

/** The settings that say how much a node keeps ready, as far as they are in force, with their values. */
export function warmTargets({ env }: Pick<NodeSeen, "env">, mode: string): string {
  const byAddresses = ["WARM_IP_TARGET", "MINIMUM_IP_TARGET"].filter((name) => Number(env[name] ?? 0) > 0);
  const byBlocks = mode === "prefix" ? "WARM_PREFIX_TARGET" : "WARM_ENI_TARGET";
  // The official manifest sets both of these to 1; ipamd takes 1 as well when they are not set.
  const names = byAddresses.length > 0 ? byAddresses : [byBlocks];
  return names.map((name) => `${name}=${env[name] ?? "1"}`).join(", ");
}
