import { hasCode, messageOf } from "../../base/error.ts";
import { describeByIds } from "./attached-enis.ts";
import type { Context } from "./context.ts";
import { deletePatience, detachPatience, tryPatiently, waitFor } from "./tries.ts";

/** EC2 needs one to two seconds as a rule; deleting before that fails with "currently in use". */
const longestDetachMs = 10_000;

/**
 * Detaches and deletes an ENI. One that is gone already is a success. Throws when the attachment cannot be found
 * out or ended; the ENI then still serves, and the next reconcile takes it back.
 */
export async function freeEni(ctx: Context, eniId: string): Promise<void> {
  const attachmentId = await attachmentOf(ctx, eniId);
  if (attachmentId === "gone") return forget(ctx, eniId);
  if (attachmentId !== undefined) await detach(ctx, eniId, attachmentId);
  try {
    await deleteEni(ctx, eniId);
  } finally {
    forget(ctx, eniId);
  }
}

/** Detached, it must not be routed by any more, whether it could be deleted or not. */
function forget(ctx: Context, eniId: string): void {
  const { attachmentIds, macs, primaryAddresses } = ctx.known;
  const address = primaryAddresses.get(eniId);
  for (const map of [attachmentIds, macs, primaryAddresses]) map.delete(eniId);
  if (address === undefined) return;
  try {
    ctx.host.removeEniRules(address);
  } catch (thrown) {
    ctx.metrics.ipamdError("freeENIDeleteRulesFailed");
    ctx.log("error", "rules of an ENI not deleted", { eni: eniId, error: messageOf(thrown) });
  }
}

async function attachmentOf(ctx: Context, eniId: string): Promise<string | "gone" | undefined> {
  const known = ctx.known.attachmentIds.get(eniId);
  if (known !== undefined) return known;
  const eni = (await describeByIds(ctx, [eniId])).get(eniId);
  return eni === undefined ? "gone" : eni.attachment?.attachmentId;
}

async function detach(ctx: Context, eniId: string, attachmentId: string): Promise<void> {
  try {
    await tryPatiently(
      ctx.clock,
      detachPatience,
      () => ctx.ec2.detachNetworkInterface(attachmentId),
      (error) => hasCode(error, "not_found", "permission_denied"),
    );
  } catch (thrown) {
    if (!hasCode(thrown, "not_found")) throw thrown;
  }
  const mac = ctx.known.macs.get(eniId);
  if (mac !== undefined) {
    await waitFor(ctx.clock, longestDetachMs, () => (ctx.host.hasLink(mac) ? undefined : true));
  }
}

/** Deletes a detached ENI, patiently, because EC2 shows it as in use for a while. */
export async function deleteEni(ctx: Pick<Context, "ec2" | "clock">, eniId: string): Promise<void> {
  try {
    await tryPatiently(
      ctx.clock,
      deletePatience,
      () => ctx.ec2.deleteNetworkInterface(eniId),
      (error) => hasCode(error, "not_found", "permission_denied"),
    );
  } catch (thrown) {
    if (!hasCode(thrown, "not_found")) throw thrown;
  }
}
