import { podSuffix } from "../../hostnet/names.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import type { Assignment, Pool } from "../../ipam/types.ts";
import type { Context } from "./context.ts";

/** Of a younger assignment the plugin may be about to make the veth pair. */
const youngestMs = 60_000;

/**
 * Releases addresses of pods that have no veth on the node any more: their DEL came while ipamd was starting, after it
 * had read the checkpoint and before it listened, so that the plugin took the network down by itself. Without this the
 * addresses would stay assigned until ipamd is started again. Answers with what was released.
 */
export function releaseGonePods(
  ctx: Pick<Context, "host" | "clock" | "log">,
  ledger: NodeLedger,
): Assignment[] {
  const now = ctx.clock.now();
  const links = ctx.host.linkNames();
  const hasLink = ({ metadata }: Assignment): boolean => {
    if (metadata === undefined || metadata.namespace === "" || metadata.name === "") return true;
    const suffix = podSuffix(metadata.namespace, metadata.name);
    return links.some((name) => name.endsWith(suffix));
  };
  const isGone = (held: Assignment): boolean => now - held.assignedAt > youngestMs && !hasLink(held);
  const release = (pool: Pool, held: Assignment): Assignment => {
    ctx.log("warn", "pod is gone, its address is free", { address: held.address, metadata: held.metadata });
    pool.unassign(held.key, now);
    ctx.host.removePodRules(held.address);
    return held;
  };
  return ledger.cards.flatMap(({ pool }) =>
    pool
      .assignments()
      .filter(isGone)
      .map((held) => release(pool, held)),
  );
}
