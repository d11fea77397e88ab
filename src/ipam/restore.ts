import type { PodKey, PodMetadata, Pool } from "./types.ts";

/** One entry of a checkpoint. */
export interface SavedAssignment {
  readonly key: PodKey;
  readonly address: string;
  readonly assignedAt: number;
  readonly metadata?: PodMetadata;
}

export interface Restored {
  /** The sandbox is gone: no link of the host bears the pod's suffix. Its rules must go as well. */
  readonly stale: readonly SavedAssignment[];
  /** The address is on no ENI of this pool. */
  readonly lost: readonly SavedAssignment[];
}

/**
 * Puts what a checkpoint says back into a pool whose ENIs have been read. An entry with a pod's namespace and name
 * is only believed when a host link's name ends with the pod's suffix; others cannot be checked and are kept.
 * Throws `already_exists` when two entries claim one address.
 */
export function restorePool(
  pool: Pool,
  saved: {
    readonly allocations: readonly SavedAssignment[];
    readonly cooling: readonly { readonly address: string; readonly releasedAt: number }[];
  },
  hostLinks: readonly string[],
  /** The end of the host link's name for a pod, without the prefix that a setting may change. */
  suffixOf: (metadata: PodMetadata) => string,
  now: number,
): Restored {
  const stale: SavedAssignment[] = [];
  const lost: SavedAssignment[] = [];
  for (const entry of saved.allocations) {
    const { metadata } = entry;
    if (metadata !== undefined && metadata.namespace !== "" && metadata.name !== "") {
      const suffix = suffixOf(metadata);
      if (!hostLinks.some((name) => name.endsWith(suffix))) {
        stale.push(entry);
        continue;
      }
    }
    if (!pool.restore(entry.address, entry.key, metadata, entry.assignedAt)) lost.push(entry);
  }
  // The sandboxes that went while nobody watched: their addresses cool down from now on, as after a release.
  for (const { address } of stale) pool.restoreCooling(address, now, now);
  for (const { address, releasedAt } of saved.cooling) pool.restoreCooling(address, releasedAt, now);
  return { stale, lost };
}
