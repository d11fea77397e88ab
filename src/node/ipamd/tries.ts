import type { Clock } from "../../base/clock.ts";

/** How often and how patiently something is tried. */
export interface Patience {
  readonly firstMs: number;
  readonly longestMs: number;
  readonly factor: number;
  readonly tries: number;
}

/** The official CNI's patience with EC2, but for attaching and looking, where it has none. */
export const detachPatience: Patience = { firstMs: 200, longestMs: 60_000, factor: 2, tries: 12 };
export const deletePatience: Patience = { firstMs: 500, longestMs: 60_000, factor: 2, tries: 12 };
export const attachPatience: Patience = { firstMs: 100, longestMs: 2000, factor: 2, tries: 6 };
export const lookPatience: Patience = { firstMs: 100, longestMs: 2000, factor: 2, tries: 5 };
export const tagPatience: Patience = { firstMs: 500, longestMs: 60_000, factor: 2, tries: 5 };

/**
 * Calls `work` until it succeeds, `isFinal` says that an error will not pass, or the tries are used up; the last
 * error is thrown. The pauses grow by `factor` up to `longestMs`.
 */
export async function tryPatiently<T>(
  clock: Clock,
  patience: Patience,
  work: () => Promise<T>,
  isFinal: (error: unknown) => boolean = () => false,
): Promise<T> {
  let pauseMs = patience.firstMs;
  for (let tried = 1; ; tried++) {
    try {
      return await work();
    } catch (thrown) {
      if (tried >= patience.tries || isFinal(thrown)) throw thrown;
    }
    await clock.sleep(pauseMs);
    pauseMs = Math.min(pauseMs * patience.factor, patience.longestMs);
  }
}

/** Asks until `probe` gives something; undefined when `limitMs` have passed. Quick at first, then each 100 ms. */
export async function waitFor<T>(
  clock: Clock,
  limitMs: number,
  probe: () => T | undefined | Promise<T | undefined>,
): Promise<T | undefined> {
  const end = clock.now() + limitMs;
  for (let pauseMs = 5; ; pauseMs = Math.min(pauseMs * 2, 100)) {
    const found = await probe();
    if (found !== undefined || clock.now() >= end) return found;
    await clock.sleep(pauseMs);
  }
}
