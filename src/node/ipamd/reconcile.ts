import { messageOf } from "../../base/error.ts";
import { isEfaOnly, isUnmanaged } from "../../ipam/eni-selection.ts";
import type { NodeLedger } from "../../ipam/node.ts";
import { applyBlockChanges, blockChanges, type ReconcileStep, reconcileSteps } from "../../ipam/reconcile.ts";
import type { Assignment } from "../../ipam/types.ts";
import { describeAttached, describeByIds, type NodeEni } from "./attached-enis.ts";
import type { Context } from "./context.ts";
import { releaseGonePods } from "./gone-pods.ts";

export interface ReconcileParts {
  readonly ctx: Context;
  readonly ledger: NodeLedger;
  /** Tags an ENI, sets its network up and adds it to its pool. */
  readonly takeIn: (eni: NodeEni) => Promise<void>;
  /** Writes the checkpoint after pods lost their addresses. */
  readonly save: () => Promise<void>;
}

/**
 * Holds the pools against what is attached. Instance metadata says where something differs; EC2 has the last word
 * before a pod's address is dropped, because metadata lags behind. Throws nothing: what failed is logged and
 * comes up again at the next run.
 */
export async function reconcile(parts: ReconcileParts): Promise<void> {
  const { ctx, ledger } = parts;
  const endProgress = ctx.metrics.inProgress("nodeIPPoolReconcile");
  try {
    const seen = await attached(ctx);
    const steps = reconcileSteps(ledger, seen, (id) => ctx.known.unmanaged.has(id));
    for (const step of steps) await carryOut(parts, step, seen ?? []);
    if (releaseGonePods(ctx, ledger).length > 0) await parts.save();
    ledger.lastPoolActionAt = ctx.clock.now();
  } catch (thrown) {
    ctx.metrics.ipamdError("reconcileFailedGetENIs");
    ctx.log("warn", "reconcile failed", { error: messageOf(thrown) });
  } finally {
    endProgress();
  }
}

/** What IMDS shows; when an ENI is new, with EC2's types and tags, and what is not ours to manage noted. */
async function attached(ctx: Context): Promise<NodeEni[] | undefined> {
  const seen = await describeAttached(attachedSource(ctx), true);
  if (seen.length === 0) return undefined;
  const isNew = seen.some((eni) => !ctx.known.macs.has(eni.id) && !ctx.known.unmanaged.has(eni.id));
  if (!isNew || ctx.settings.imdsOnly) return seen;
  const described = await describeAttached(attachedSource(ctx), false);
  const rules = { instanceId: ctx.facts.instanceId, manageUntagged: ctx.settings.manageUntagged };
  ctx.known.unmanaged = new Set(
    described.filter((eni) => isEfaOnly(eni) || isUnmanaged(eni, rules)).map(({ id }) => id),
  );
  return described;
}

async function carryOut(parts: ReconcileParts, step: ReconcileStep, seen: readonly NodeEni[]): Promise<void> {
  const { ctx, ledger } = parts;
  const isCounted = step.kind === "add-eni" ? "eniReconcileAdd" : "eniReconcileDel";
  try {
    switch (step.kind) {
      case "add-eni": {
        const eni = seen.find(({ id }) => id === step.eni.id);
        if (eni === undefined) return;
        await parts.takeIn(eni);
        ctx.metrics.reconciled("eniReconcileAdd");
        return;
      }
      case "ask-ec2":
        await bringInLine(parts, step.card, step.eniId, seen);
        return;
      case "remove-eni": {
        if (await isStillAttached(ctx, step.eniId)) return;
        // Its actions may have ended, and it may be gone from the pool, while EC2 was asked.
        if (ledger.pool(step.card).eni(step.eniId) === undefined) return;
        const evicted = ledger.pool(step.card).removeEni(step.eniId, { force: true });
        ctx.known.macs.delete(step.eniId);
        ctx.metrics.reconciled("eniReconcileDel");
        if (evicted.length > 0) ctx.metrics.forceRemovedEni();
        await evict(parts, evicted, `${step.eniId} is no longer attached`);
      }
    }
  } catch (thrown) {
    ctx.metrics.ipamdError(isCounted);
    ctx.log("warn", "reconcile step failed", { step, error: messageOf(thrown) });
  }
}

/** IMDS may not show yet what was attached a moment ago; without EC2 (IMDS-only) IMDS has the last word. */
async function isStillAttached(ctx: Context, eniId: string): Promise<boolean> {
  if (ctx.settings.imdsOnly) return false;
  const eni = (await describeByIds(ctx, [eniId])).get(eniId);
  return eni?.attachment?.instanceId === ctx.facts.instanceId && eni.attachment.status !== "detached";
}

async function bringInLine(
  parts: ReconcileParts,
  card: number,
  eniId: string,
  seen: readonly NodeEni[],
): Promise<void> {
  const { ctx, ledger } = parts;
  const shown = seen.find(({ id }) => id === eniId);
  const truth = ctx.settings.imdsOnly ? shown : await addressesInEc2(ctx, eniId);
  // While EC2 was asked the ENI may have gone, or an action on it begun.
  const known = ledger.pool(card).eni(eniId);
  const isBusy = ledger.inFlight.some(({ action }) => "eniId" in action && action.eniId === eniId);
  if (known === undefined || truth === undefined || isBusy) return;
  const now = ctx.clock.now();
  const changes = blockChanges(known, truth, (block) => ledger.wasJustFreed(block, now));
  if (changes.add.length + changes.remove.length === 0) return;
  ctx.log("info", "pool brought in line with EC2", { eni: eniId, ...changes });
  const evicted = applyBlockChanges(ledger.pool(card), eniId, changes);
  if (changes.add.length > 0) ctx.metrics.reconciled("eniDataStorePoolReconcileAdd");
  if (changes.remove.length > 0) ctx.metrics.reconciled("eniIPPoolReconcileDel");
  await evict(parts, evicted, `EC2 does not have it on ${eniId} any more`);
}

/** Undefined when EC2 does not know the ENI (any more). */
async function addressesInEc2(
  ctx: Context,
  eniId: string,
): Promise<Parameters<typeof blockChanges>[1] | undefined> {
  const eni = (await describeByIds(ctx, [eniId])).get(eniId);
  if (eni === undefined) return undefined;
  const own = eni.privateIpAddresses.find(({ primary }) => primary)?.address;
  return {
    ...(own === undefined ? {} : { primaryAddress: own }),
    addresses: eni.privateIpAddresses.filter(({ primary }) => !primary).map(({ address }) => address),
    ipv4Prefixes: eni.ipv4Prefixes,
    ipv6Prefixes: eni.ipv6Prefixes,
  };
}

/** Pods whose address is gone from EC2: their records go; they have no network until they are restarted. */
async function evict(parts: ReconcileParts, evicted: readonly Assignment[], why: string): Promise<void> {
  if (evicted.length === 0) return;
  parts.ctx.metrics.forceRemovedAddresses(evicted.length);
  for (const { address, metadata } of evicted)
    parts.ctx.log("error", "address of a pod lost", { address, metadata, why });
  await parts.save();
}

export function attachedSource(ctx: Context): Parameters<typeof describeAttached>[0] {
  return { ec2: ctx.ec2, imds: ctx.imds, primaryMac: ctx.facts.primaryMac, clock: ctx.clock };
}
