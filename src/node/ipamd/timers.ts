import { messageOf } from "../../base/error.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import { reconcileDueAt } from "../../ipam/reconcile.ts";
import type { Context } from "./context.ts";
import { every } from "./every.ts";
import { sweepLeakedEnis } from "./leaked-enis.ts";
import type { PoolLoop } from "./pool-loop.ts";
import { reconcile } from "./reconcile.ts";
import { refreshSecurityGroups } from "./security-groups.ts";
import { takeIn } from "./take-in.ts";
import { refreshVpcCidrs } from "./vpc-cidrs.ts";

const refreshMs = 30_000;
/** While the trunk is awaited, it is looked for this often. */
const trunkPollMs = 5000;
/** A reconcile that is overdue for lack of success is not tried more often than this. */
const shortestPauseMs = 1000;

export interface TimerParts {
  readonly ctx: Context;
  readonly ledger: NodeLedger;
  readonly loop: Pick<PoolLoop, "poke">;
  readonly save: () => Promise<void>;
  readonly signal: AbortSignal;
}

/** What comes up again and again until the signal aborts: VPC blocks, security groups, reconcile, leaked ENIs. */
export function startTimers(parts: TimerParts): void {
  const { ctx, ledger, signal } = parts;
  const { clock, log, metrics, settings } = ctx;
  const timing = { clock, log, signal };
  const refreshBlocks = async (): Promise<void> => {
    try {
      await refreshVpcCidrs(ctx);
      metrics.connmarkReconciled("success");
    } catch (thrown) {
      metrics.connmarkReconciled("error");
      throw thrown;
    }
  };
  void every(refreshMs, "refresh of the VPC's blocks", refreshBlocks, timing);
  if (settings.provisioning) {
    const eniIds = (): string[] => ledger.cards.flatMap(({ pool }) => pool.enis().map(({ id }) => id));
    void every(refreshMs, "refresh of security groups", () => refreshSecurityGroups(ctx, eniIds()), timing);
  }
  if (settings.leakedEniCleanup) void sweepLeakedEnis(ctx, signal);
  void reconcileAgainAndAgain(parts);
}

async function reconcileAgainAndAgain(parts: TimerParts): Promise<void> {
  const { ctx, ledger, loop, save, signal } = parts;
  const awaitsTrunk = (): boolean => ctx.settings.podEni && ctx.trunkMac() === undefined;
  for (;;) {
    const now = ctx.clock.now();
    const pause = awaitsTrunk()
      ? trunkPollMs
      : Math.max(reconcileDueAt(ledger, false) - now, shortestPauseMs);
    await ctx.clock.sleep(pause, signal).catch(() => {});
    if (signal.aborted) return;
    if (ctx.clock.now() < reconcileDueAt(ledger, awaitsTrunk())) continue;
    try {
      await reconcile({ ctx, ledger, save, takeIn: (eni) => takeIn(ctx, ledger, eni) });
    } catch (thrown) {
      ctx.log("error", "reconcile failed", { error: messageOf(thrown) });
    }
    loop.poke();
  }
}
