import type { Filter } from "../../aws/ec2.ts";
import type { Eni } from "../../aws/shapes.ts";
import { messageOf } from "../../base/error.ts";
import { seededRandom } from "../../base/random.ts";
import type { Context } from "./context.ts";
import { clusterNameTag, createdAtTag, eniDescriptionPrefix, instanceIdTag, tagOf } from "./eni-tags.ts";
import { deleteEni } from "./free-eni.ts";
import { tagPatience, tryPatiently } from "./tries.ts";

const hourMs = 3_600_000;
/** The nodes of a cluster start together as a rule, and must not all search at once. */
const longestPauseSeconds = 300;
/** Younger ones may be on their way to an instance. */
const youngestLeakMs = 5 * 60_000;

/**
 * Once an hour, or as often as ENIVERSE_LEAKED_ENI_SEARCH_SECONDS says, looks for ENIs that some ipamd of the cluster
 * created and nobody attached, and deletes them.
 */
export async function sweepLeakedEnis(ctx: Context, signal: AbortSignal): Promise<void> {
  const random = seededRandom(ctx.clock.now());
  const pause = (ms: number): Promise<void> => ctx.clock.sleep(ms, signal).catch(() => {});
  const { leakedEniSearchSeconds } = ctx.env;
  while (!signal.aborted) {
    await pause((leakedEniSearchSeconds ?? random.int(longestPauseSeconds)) * 1000);
    if (!signal.aborted) await removeLeakedEnis(ctx);
    if (leakedEniSearchSeconds === undefined) await pause(hourMs);
  }
}

/** One search. Failures are logged; the next search comes anyway. */
export async function removeLeakedEnis(ctx: Context): Promise<void> {
  const { clusterName } = ctx.env;
  const filters: Filter[] = [
    { name: "tag-key", values: [instanceIdTag] },
    { name: "status", values: ["available"] },
    { name: "vpc-id", values: [ctx.facts.vpcId] },
  ];
  if (clusterName !== undefined && clusterName !== "")
    filters.push({ name: `tag:${clusterNameTag}`, values: [clusterName] });
  try {
    for (const eni of await ctx.ec2.describeNetworkInterfaces({ filters })) await settle(ctx, eni);
  } catch (thrown) {
    ctx.log("warn", "search for leaked ENIs failed", { error: messageOf(thrown) });
  }
}

/** One without a readable time of creation is given the present one, and so is not deleted before the next search. */
async function settle(ctx: Context, eni: Eni): Promise<void> {
  const id = eni.networkInterfaceId;
  if (!eni.description.startsWith(eniDescriptionPrefix)) return;
  const now = ctx.clock.now();
  const createdAt = Date.parse(tagOf(eni, createdAtTag) ?? "");
  try {
    if (Number.isNaN(createdAt)) {
      const value = new Date(now).toISOString().replace(/\.\d+Z$/, "Z");
      const tags = [{ key: createdAtTag, value }];
      await tryPatiently(ctx.clock, tagPatience, () => ctx.ec2.createTags(id, tags));
    } else if (now - createdAt >= youngestLeakMs) {
      await deleteEni(ctx, id);
      ctx.log("info", "leaked ENI deleted", { eni: id, description: eni.description });
    }
  } catch (thrown) {
    ctx.log("warn", "leaked ENI not settled", { eni: id, error: messageOf(thrown) });
  }
}
