import type { Eni } from "../../aws/shapes.ts";
import { hasCode, messageOf } from "../../base/error.ts";
import { describeAttached, type NodeEni } from "./attached-enis.ts";
import type { Context } from "./context.ts";
import { instanceIdTag } from "./eni-tags.ts";
import { deleteEni } from "./free-eni.ts";
import { attachedSource } from "./reconcile.ts";
import { lookPatience, tryPatiently, waitFor } from "./tries.ts";

/** Instance metadata is a few seconds behind EC2 as a rule. */
const longestLagMs = 30_000;

/** All ENIs that bear this node's tag, attached or not, by EC2's word; empty when they cannot be read. */
export async function ownEnis(ctx: Context): Promise<Eni[]> {
  if (!ctx.settings.provisioning) return [];
  try {
    const filters = [{ name: `tag:${instanceIdTag}`, values: [ctx.facts.instanceId] }];
    return await tryPatiently(
      ctx.clock,
      lookPatience,
      () => ctx.ec2.describeNetworkInterfaces({ filters }),
      (error) => hasCode(error, "permission_denied"),
    );
  } catch (thrown) {
    ctx.log("warn", "ENIs of earlier runs not looked for", { error: messageOf(thrown) });
    return [];
  }
}

/**
 * The attached ENIs; when EC2 knows of one that instance metadata does not show yet, waits for it, because pods
 * may have addresses of it: an ipamd that was killed just after attaching must not forget them.
 */
export async function settledEnis(
  ctx: Context,
  seen: readonly NodeEni[],
  own: readonly Eni[],
): Promise<readonly NodeEni[]> {
  const expected = own.filter(
    ({ attachment }) => attachment?.instanceId === ctx.facts.instanceId && attachment.status === "attached",
  );
  const lacks = (enis: readonly NodeEni[]): boolean =>
    expected.some(({ networkInterfaceId }) => !enis.some(({ id }) => id === networkInterfaceId));
  if (!lacks(seen)) return seen;
  let last = seen;
  await waitFor(ctx.clock, longestLagMs, async () => {
    last = await describeAttached(attachedSource(ctx), ctx.settings.imdsOnly);
    return lacks(last) ? undefined : true;
  });
  return last;
}

/**
 * Finishes what a killed ipamd of this node had begun: an ENI that was created and not attached, or detached and
 * not deleted, is deleted; one that was attached and not marked is marked for deletion with the instance.
 * `own` was read before this run created anything. Failures are logged; the hourly search finds the same ENIs.
 */
export async function finishLeftovers(ctx: Context, own: readonly Eni[]): Promise<void> {
  await Promise.all(
    own.map(async ({ networkInterfaceId: id, status, attachment }) => {
      try {
        if (status === "available") {
          ctx.log("info", "deleting an ENI that an earlier run left", { eni: id });
          await deleteEni(ctx, id);
        } else if (
          attachment?.instanceId === ctx.facts.instanceId &&
          attachment.deviceIndex > 0 &&
          !attachment.deleteOnTermination
        ) {
          await ctx.ec2.setDeleteOnTermination(id, attachment.attachmentId);
        }
      } catch (thrown) {
        if (!hasCode(thrown, "not_found"))
          ctx.log("warn", "ENI of an earlier run not settled", { eni: id, error: messageOf(thrown) });
      }
    }),
  );
}
