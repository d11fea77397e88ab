import { messageOf } from "../../base/error.ts";
import type { Container } from "../../kube/resources.ts";
import { StartRefused } from "./containers.ts";
import type { ContainerState } from "./state.ts";

const imageRetryMs = 10_000;
const configRetryMs = 5_000;
const longestRetryMs = 300_000;
/** The first message of a refused image is shown for so long before the back-off begins. */
const showMs = 1_000;

export interface Refusal {
  readonly waiting: { readonly reason: string; readonly message: string };
  readonly backoff: NonNullable<ContainerState["backoff"]>;
  /** Messages of events with the reason Failed. */
  readonly warnings: readonly string[];
}

/** What a container waits for that could not be started, for how long, and what is said about it. Pure. */
export function refusalState(
  container: Container,
  known: ContainerState,
  error: unknown,
  now: number,
): Refusal {
  if (!(error instanceof StartRefused)) {
    const waiting = { reason: "ContainerCreating", message: messageOf(error) };
    return { waiting, backoff: { until: now + showMs, ms: 0 }, warnings: [] };
  }
  const before = known.backoff?.ms ?? 0;
  if (error.reason !== "ErrImagePull") {
    const ms = before === 0 ? configRetryMs : Math.min(before * 2, longestRetryMs);
    const waiting = { reason: error.reason, message: error.message };
    return { waiting, backoff: { until: now + ms, ms }, warnings: [`Error: ${error.message}`] };
  }
  const reason = known.waiting?.reason;
  if (reason !== "ErrImagePull" && reason !== "ImagePullBackOff") {
    const waiting = { reason: "ErrImagePull", message: error.message };
    return {
      waiting,
      backoff: { until: now + showMs, ms: 0 },
      warnings: [error.message, "Error: ErrImagePull"],
    };
  }
  const ms = before === 0 ? imageRetryMs : Math.min(before * 2, longestRetryMs);
  const message = `Back-off pulling image "${container.image}": ErrImagePull: ${error.message}`;
  const waiting = { reason: "ImagePullBackOff", message };
  return { waiting, backoff: { until: now + ms, ms }, warnings: ["Error: ImagePullBackOff"] };
}
