import { hasCode } from "../../base/error.ts";
import { retryPause, throttlePatienceMs } from "../../ipam/retry-pause.ts";
import type { Context } from "./context.ts";

/**
 * Repeats what EC2 throttles, with the core's pauses, for a few minutes: an ENI that is half made is not thrown away
 * for it, which would only cost more calls. Any other error, and the last one, is thrown.
 */
export async function despiteThrottling<T>(
  { clock, random }: Pick<Context, "clock" | "random">,
  work: () => Promise<T>,
): Promise<T> {
  const end = clock.now() + throttlePatienceMs;
  for (let failures = 1; ; failures++) {
    try {
      return await work();
    } catch (thrown) {
      const pauseMs = retryPause(failures, true, random);
      if (!hasCode(thrown, "throttled") || clock.now() + pauseMs > end) throw thrown;
      await clock.sleep(pauseMs);
    }
  }
}
