import { readSecurityGroups } from "../../aws/instance-metadata.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import type { Context } from "./context.ts";

/**
 * Reads the primary ENI's security groups and gives them to every ENI in the list that is known to have others,
 * unless ENIConfigs say which groups ENIs have. New ENIs are created with them. An ENI for which it failed is
 * tried again at the next call. Throws only when the groups cannot be read.
 */
export async function refreshSecurityGroups(ctx: Context, eniIds: readonly string[]): Promise<void> {
  const groups = (await readSecurityGroups(ctx.imds, ctx.facts.primaryMac)).sort();
  ctx.known.securityGroups = groups;
  if (ctx.settings.customNetworking) return;
  const wanted = groups.join();
  await Promise.all(
    eniIds
      .filter((id) => !ctx.known.unmanaged.has(id) && ctx.known.groupsOf.get(id) !== wanted)
      .map(async (id) => {
        try {
          await ctx.ec2.modifyGroups(id, groups);
          ctx.known.groupsOf.set(id, wanted);
        } catch (thrown) {
          if (hasCode(thrown, "not_found"))
            ctx.metrics.awsUtilsError("IMDSMetaDataOutOfSync", messageOf(thrown));
          ctx.log("warn", "security groups not set", { eni: id, error: messageOf(thrown) });
        }
      }),
  );
}
