import type { Clock } from "../../base/clock.ts";
import { messageOf } from "../../base/error.ts";
import type { Log } from "../../base/log.ts";

/** Runs `work` each `periodMs` after the last run ended, until the signal aborts. Failures are logged. */
export async function every(
  periodMs: number,
  what: string,
  work: () => Promise<void>,
  parts: { readonly clock: Clock; readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  for (;;) {
    await parts.clock.sleep(periodMs, parts.signal).catch(() => {});
    if (parts.signal.aborted) return;
    try {
      await work();
    } catch (thrown) {
      parts.log("error", `${what} failed`, { error: messageOf(thrown) });
    }
  }
}
