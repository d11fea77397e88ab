import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { readVpcCidrs } from "../../aws/instance-metadata.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import { podSuffix } from "../../hostnet/names.ts";
import { selectEnis } from "../../ipam/eni-selection.ts";
import { NodeLedger } from "../../ipam/node.ts";
import { createPool } from "../../ipam/pool.ts";
import { blocksOf } from "../../ipam/reconcile.ts";
import { restorePool } from "../../ipam/restore.ts";
import { fallbackMaxPods } from "../../limits/max-pods.ts";
import { describeAttached, type NodeEni } from "./attached-enis.ts";
import {
  type Checkpoint,
  checkpointPath,
  readCheckpoint,
  removeUnfinished,
  writeCheckpoint,
} from "./checkpoint.ts";
import { type Context, learn } from "./context.ts";
import { finishLeftovers, ownEnis, settledEnis } from "./leftovers.ts";
import type { PoolLoop } from "./pool-loop.ts";
import { attachedSource } from "./reconcile.ts";
import { refreshSecurityGroups } from "./security-groups.ts";
import { addToPool, setUpHostEni, subnetTags, tagEni } from "./take-in.ts";

const setUpTries = 3;
const setUpPauseMs = 5000;

/**
 * Takes over the node as it is: host network, attached ENIs, pods' addresses from the checkpoint, rules. The
 * ledger that results knows every address; nothing has been asked of EC2 but to tag and to finish what an earlier
 * run had begun. What throws here is fatal.
 */
export async function takeOverNode(ctx: Context, cardCount: number): Promise<NodeLedger> {
  const family = ctx.settings.mode === "ipv6" ? 6 : 4;
  ctx.known.vpcCidrs = await readVpcCidrs(ctx.imds, ctx.facts.primaryMac, family);
  // Before anything else is asked: the first translation rules of a namespace break connections that are open.
  await ctx.host.setUpNode(ctx.known.vpcCidrs);
  ctx.metrics.connmarkBackend(ctx.host.connmarkBackend);
  const [first, own, subnets] = await Promise.all([
    describeAttached(attachedSource(ctx), ctx.settings.imdsOnly),
    ownEnis(ctx),
    subnetTags(ctx),
  ]);
  const seen = await settledEnis(ctx, first, own);

  const selection = selectEnis(seen, cardCount, {
    instanceId: ctx.facts.instanceId,
    manageUntagged: ctx.settings.manageUntagged,
    multiNic: ctx.settings.multiNic,
  });
  ctx.known.unmanaged = selection.unmanaged;
  const managed = seen.filter((eni) => selection.managed.some(({ id }) => id === eni.id));
  for (const eni of managed) learn(ctx.known, eni, family);
  ctx.known.connectionTracking = seen.find(({ primary }) => primary)?.ec2?.connectionTracking;

  const ledger = new NodeLedger(
    selection.cards.map(({ card, unmanagedEnis }) => ({
      pool: createPool({ card, mode: ctx.settings.mode, cooldownMs: ctx.settings.cooldownMs }),
      unmanagedEnis,
    })),
    ctx.random,
  );
  mkdirSync(dirname(ctx.env.backingStore), { recursive: true, mode: 0o755 });
  const saved = new Map(
    ledger.cards.map(({ pool }) => {
      const path = checkpointPath(ctx.env.backingStore, pool.card);
      return [pool.card, { path, checkpoint: readCheckpoint(path) }];
    }),
  );
  const usable = await setUpAll(
    ctx,
    managed,
    [...saved.values()].flatMap(({ checkpoint }) => checkpoint ?? []),
  );
  for (const eni of usable) addToPool(ctx, ledger, eni, subnets);
  for (const { path } of saved.values()) removeUnfinished(path);
  for (const { pool } of ledger.cards) restore(ctx, ledger, pool.card, saved.get(pool.card)?.checkpoint);

  ctx.host.rewriteRules(ledger.cards.flatMap(({ pool }) => pool.assignments().map(({ address }) => address)));
  await Promise.all(usable.map((eni) => tagEni(ctx, eni)));
  if (ctx.settings.provisioning) {
    await refreshSecurityGroups(
      ctx,
      usable.map(({ id }) => id),
    );
  }
  ledger.maxPods = maxPods(ctx);
  ledger.cordoned = isCordoned(ctx);
  void finishLeftovers(ctx, own);
  return ledger;
}

/**
 * Sets every ENI's network up, a few times over. One for which it fails is left to reconcile, unless pods have
 * addresses of it: these must stay known, or they would be given out twice.
 */
async function setUpAll(
  ctx: Context,
  managed: readonly NodeEni[],
  checkpoints: readonly Checkpoint[],
): Promise<NodeEni[]> {
  const held = new Set(
    checkpoints.flatMap(({ allocations }) => allocations.map(({ address }) => `${address}/32`)),
  );
  const outcomes = await Promise.all(
    managed.map(async (eni) => {
      for (let tried = 1; ; tried++) {
        try {
          await setUpHostEni(ctx, eni);
          return [eni];
        } catch (thrown) {
          ctx.log("error", "ENI not set up", { eni: eni.id, tried, error: messageOf(thrown) });
          if (tried >= setUpTries) {
            ctx.metrics.ipamdError("waitENIAttachedMaxRetryExceeded");
            return blocksOf(eni).some((block) => held.has(block) || block.endsWith("/28")) ? [eni] : [];
          }
        }
        await ctx.clock.sleep(setUpPauseMs);
      }
    }),
  );
  return outcomes.flat();
}

function restore(ctx: Context, ledger: NodeLedger, card: number, checkpoint: Checkpoint | undefined): void {
  if (checkpoint === undefined) return;
  const { stale, lost } = restorePool(
    ledger.pool(card),
    checkpoint,
    ctx.host.linkNames(),
    ({ namespace, name }) => podSuffix(namespace, name),
    ctx.clock.now(),
  );
  for (const { address, metadata } of stale) {
    ctx.log("info", "pod is gone, its address is free", { address, metadata });
    ctx.host.removePodRules(address);
  }
  for (const { address, metadata } of lost)
    ctx.log("error", "address of a pod is on no ENI", { address, metadata });
}

/** What the checkpoint of a card holds now. */
export function checkpointOf(ledger: NodeLedger, card: number, now: number): Checkpoint {
  const pool = ledger.pool(card);
  return {
    allocations: pool.assignments().map(({ key, address, assignedAt, metadata }) => ({
      key,
      address,
      assignedAt,
      ...(metadata === undefined ? {} : { metadata }),
    })),
    cooling: pool.coolingAddresses(now),
  };
}

/** Writes the checkpoints of all cards. */
export function saveCheckpoints(ctx: Pick<Context, "env" | "clock">, ledger: NodeLedger): void {
  for (const { pool } of ledger.cards) {
    const path = checkpointPath(ctx.env.backingStore, pool.card);
    writeCheckpoint(path, checkpointOf(ledger, pool.card, ctx.clock.now()));
  }
}

/** The node's capacity for pods, else the type's, else the number that the kubelet falls back to. */
export function maxPods(ctx: Context): number {
  const capacity = Number(ctx.node()?.status?.capacity?.pods ?? Number.NaN);
  if (Number.isSafeInteger(capacity)) return capacity;
  return ctx.typeMaxPods ?? fallbackMaxPods;
}

/** What `kubectl cordon` brings about. */
export function isCordoned(ctx: Context): boolean {
  return (
    ctx
      .node()
      ?.spec?.taints?.some(
        ({ key, effect }) => key === "node.kubernetes.io/unschedulable" && effect === "NoSchedule",
      ) ?? false
  );
}

/**
 * Waits until the pool holds an address or nothing is under way to bring one. Throws when the first growth was
 * refused for want of permission, or when custom networking has no ENI: such a node must not become ready.
 */
export async function firstAddresses(
  ctx: Context,
  ledger: NodeLedger,
  loop: Pick<PoolLoop, "isGrowing" | "watch">,
): Promise<void> {
  if (!ctx.settings.provisioning) return;
  const failures: string[] = [];
  const hasAddress = (): boolean => ledger.cards.some(({ pool }) => pool.stats(ctx.clock.now()).total > 0);
  await new Promise<void>((resolve) => {
    const endWatch = loop.watch((ended) => {
      if (ended?.outcome.kind === "failed") failures.push(ended.outcome.error);
      if (!hasAddress() && (loop.isGrowing || ended !== undefined)) return;
      endWatch();
      resolve();
    });
  });
  if (hasAddress()) return;
  const [failure] = failures;
  if (failure !== undefined && ctx.settings.customNetworking) {
    throw new EniverseError("unavailable", {
      attempted: "prepare the node",
      found: `Failed to attach any ENIs for custom networking: ${failure}`,
    });
  }
  if (failure !== undefined && /Unauthorized|AuthFailure|credential/i.test(failure)) {
    throw new EniverseError("permission_denied", {
      attempted: "prepare the node",
      found: `error while trying to increase datastore pool: ${failure}`,
      fix: "Give the node's role the policy AmazonEKS_CNI_Policy or its equal",
    });
  }
}
