import type { Clock } from "../../base/clock.ts";
import { EniverseError } from "../../base/error.ts";
import { waitFor } from "./tries.ts";

/** EC2 says "attached" within two seconds as a rule; the official CNI gives up after about three minutes. */
const longestWaitMs = 60_000;

/** Waits until the kernel has a link with the MAC address. Throws `timeout`; the ENI then stays attached. */
export async function waitForLink(
  clock: Clock,
  hasLink: (mac: string) => boolean,
  mac: string,
  limitMs = longestWaitMs,
): Promise<void> {
  if (await waitFor(clock, limitMs, () => (hasLink(mac) ? true : undefined))) return;
  throw new EniverseError("timeout", {
    attempted: `wait for the link of MAC address ${mac}`,
    found: `none within ${limitMs / 1000} s`,
    fix: "Look whether EC2 shows the interface as attached; it is taken in as soon as its link is there",
  });
}
