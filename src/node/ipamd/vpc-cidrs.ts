import { readVpcCidrs } from "../../aws/instance-metadata.ts";
import type { Context } from "./context.ts";

/**
 * Reads the VPC's blocks; when the set changed, source translation and connection marks follow. The new set is
 * remembered only when the kernel has it, so that a failure is tried again.
 */
export async function refreshVpcCidrs(ctx: Context): Promise<void> {
  const family = ctx.settings.mode === "ipv6" ? 6 : 4;
  const cidrs = await readVpcCidrs(ctx.imds, ctx.facts.primaryMac, family);
  if (cidrs.toSorted().join() === ctx.known.vpcCidrs.toSorted().join()) return;
  ctx.log("info", "VPC blocks changed", { before: ctx.known.vpcCidrs, after: cidrs });
  await ctx.host.updateVpcCidrs(cidrs);
  ctx.known.vpcCidrs = cidrs;
}
