import type { AttachedEni } from "./facts.ts";
import { singleBlock } from "./node.ts";
import type { Assignment, EniView, NodeState, Pool } from "./types.ts";

/** A reconcile comes when the pool has been left alone for longer than this, in milliseconds. */
export const reconcileIntervalMs = 60_000;

/** When the next reconcile is due. While a trunk is awaited it is due at once. */
export function reconcileDueAt(
  node: { readonly lastPoolActionAt: number | undefined },
  awaitsTrunk: boolean,
): number {
  if (awaitsTrunk || node.lastPoolActionAt === undefined) return 0;
  return node.lastPoolActionAt + reconcileIntervalMs + 1;
}

export type ReconcileStep =
  /** Attached and not in the pool: check its tags, set it up, and add it. */
  | { readonly kind: "add-eni"; readonly eni: AttachedEni }
  /** In the pool and no longer attached: remove it with all that is on it. */
  | { readonly kind: "remove-eni"; readonly card: number; readonly eniId: string }
  /** What metadata shows differs from the pool: ask EC2, and if it answers use {@link blockChanges}. */
  | { readonly kind: "ask-ec2"; readonly card: number; readonly eniId: string };

/**
 * Holds the pools against the ENIs that metadata shows. `seen` undefined (nothing readable) changes nothing.
 * ENIs with an action under way are left out, for metadata lags behind; so are new ENIs of a card on which one
 * is being created.
 */
export function reconcileSteps(
  node: Pick<NodeState, "cards" | "inFlight">,
  seen: readonly AttachedEni[] | undefined,
  isUnmanaged: (eniId: string) => boolean,
): ReconcileStep[] {
  if (seen === undefined) return [];
  const steps: ReconcileStep[] = [];
  const busy = new Set(node.inFlight.flatMap(({ action }) => ("eniId" in action ? [action.eniId] : [])));
  for (const { pool } of node.cards) {
    const attached = seen.filter((eni) => eni.card === pool.card && !isUnmanaged(eni.id));
    const isCreating = node.inFlight.some(
      ({ action }) => action.kind === "create-eni" && action.card === pool.card,
    );
    for (const eni of attached) {
      const known = pool.eni(eni.id);
      if (busy.has(eni.id)) continue;
      if (known === undefined) {
        if (!isCreating) steps.push({ kind: "add-eni", eni });
      } else if (!sameBlocks(known, eni)) {
        steps.push({ kind: "ask-ec2", card: pool.card, eniId: eni.id });
      }
    }
    for (const { id } of pool.enis()) {
      if (busy.has(id) || attached.some((eni) => eni.id === id)) continue;
      steps.push({ kind: "remove-eni", card: pool.card, eniId: id });
    }
  }
  return steps;
}

/** The blocks of an ENI as a pool names them; its own primary address is none of them. */
export function blocksOf(
  eni: Pick<AttachedEni, "primaryAddress" | "addresses" | "ipv4Prefixes" | "ipv6Prefixes">,
): string[] {
  return [
    ...eni.addresses.filter((address) => address !== eni.primaryAddress).map(singleBlock),
    ...eni.ipv4Prefixes,
    ...eni.ipv6Prefixes,
  ];
}

function sameBlocks(known: EniView, seen: AttachedEni): boolean {
  const blocks = blocksOf(seen);
  return blocks.length === known.cidrCount && blocks.every((block) => known.cidr(block) !== undefined);
}

export interface BlockChanges {
  readonly add: readonly string[];
  /** To be removed even from pods: EC2 does not have them on this ENI any more. */
  readonly remove: readonly string[];
}

/**
 * What the pool lacks and what it has too much of, by EC2's word. Blocks that were given back a moment ago are
 * not taken in again.
 */
export function blockChanges(
  known: EniView,
  truth: Pick<AttachedEni, "primaryAddress" | "addresses" | "ipv4Prefixes" | "ipv6Prefixes">,
  wasJustFreed: (block: string) => boolean,
): BlockChanges {
  const wanted = new Set(blocksOf(truth).filter((block) => block !== primaryBlock(known)));
  return {
    add: [...wanted].filter((block) => known.cidr(block) === undefined && !wasJustFreed(block)),
    remove: known.cidrs().flatMap(({ cidr }) => (wanted.has(cidr) ? [] : [cidr])),
  };
}

function primaryBlock({ primaryAddress }: EniView): string | undefined {
  return primaryAddress === undefined ? undefined : singleBlock(primaryAddress);
}

/** Makes the changes; answers with the pods that lost their address. */
export function applyBlockChanges(pool: Pool, eniId: string, changes: BlockChanges): Assignment[] {
  const evicted = changes.remove.flatMap((block) => pool.removeCidr(eniId, block, { force: true }));
  for (const block of changes.add) pool.addCidr(eniId, block);
  return evicted;
}
