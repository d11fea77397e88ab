import type { PodKey } from "../ipam/types.ts";
import type { ClusterNode } from "./cluster.ts";

/** One pod from its creation to its end. Times in milliseconds of the virtual clock. */
export interface SimPod {
  readonly key: PodKey;
  /** Pods go to this group only; undefined: to any. */
  readonly nodeGroup: string | undefined;
  readonly createdAt: number;
  node: ClusterNode | undefined;
  /** Bound, and asking for an address since. */
  askedAt: number | undefined;
  servedAt: number | undefined;
  isReady: boolean;
  isGone: boolean;
  readonly onReady: ((pod: SimPod) => void) | undefined;
  /** Its node was ended under it. */
  readonly onLost: ((pod: SimPod) => void) | undefined;
}
