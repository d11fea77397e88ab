import type { Random } from "../base/random.ts";

/** A schedule of pauses: the n-th failure in a row waits anything between `least` and all of its window. */
interface RetrySchedule {
  /** The first window, in milliseconds; it doubles with each further failure up to the longest. */
  readonly firstMs: number;
  readonly longestMs: number;
  /** The part of a window that is waited in any case, 0 to 1. */
  readonly least: number;
}

/** After a failure that no rule knows. */
const otherFailure: RetrySchedule = { firstMs: 5_000, longestMs: 60_000, least: 0.8 };

/**
 * When EC2 throttles, all nodes of an account are told no at the same moment, and its buckets fill by about five
 * requests a second: the nodes must come back spread out, not together. Of the windows that were tried on 150 nodes
 * in the simulator, longer ones leave the last nodes waiting while tokens lie idle, shorter ones only make more calls.
 */
const throttled: RetrySchedule = { firstMs: 10_000, longestMs: 30_000, least: 0.2 };

/** How long an ENI that is half made is held on to while EC2 throttles its next step, in milliseconds. */
export const throttlePatienceMs = 180_000;

/** How long to wait after the `failures`-th failure in a row (1 is the first), in milliseconds. */
export function retryPause(failures: number, wasThrottled: boolean, random: Pick<Random, "next">): number {
  const { firstMs, longestMs, least } = wasThrottled ? throttled : otherFailure;
  const window = Math.min(firstMs * 2 ** (failures - 1), longestMs);
  return Math.round(window * (least + (1 - least) * random.next()));
}
