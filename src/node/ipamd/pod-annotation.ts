import type { Clock } from "../../base/clock.ts";
import { EniverseError, hasCode } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { pods } from "../../kube/resources.ts";

/** ANNOTATE_POD_IP: the pod's first address without a mask, empty after the pod gave it back. */
export const podAddressAnnotation = "vpc.amazonaws.com/pod-ips";

const conflictRetryMs: readonly number[] = [10, 50, 250];

/** Sets the annotation unless it is right already; a missing pod is an error. */
export async function annotatePod(
  kube: KubeClient,
  pod: { readonly namespace: string; readonly name: string },
  address: string,
  clock: Clock,
): Promise<void> {
  await onConflictAgain(clock, async () => {
    const { metadata } = await kube.get(pods, pod.name, pod.namespace);
    if (metadata.annotations?.[podAddressAnnotation] === address) return;
    await patch(kube, pod, address, metadata.resourceVersion);
  });
}

/**
 * Empties the annotation of a pod whose address was released. A vanished pod is fine; another address in the
 * annotation is `conflict` and the annotation stays.
 */
export async function clearPodAnnotation(
  kube: KubeClient,
  pod: { readonly namespace: string; readonly name: string },
  released: string,
  clock: Clock,
): Promise<void> {
  try {
    await onConflictAgain(clock, async () => {
      const { metadata } = await kube.get(pods, pod.name, pod.namespace);
      if (metadata.annotations?.[podAddressAnnotation] !== released) {
        throw new EniverseError("invalid_argument", {
          attempted: `clear the annotation ${podAddressAnnotation} of ${pod.namespace}/${pod.name}`,
          found: `released IP ${released} does not match existing annotation. Not patching pod`,
        });
      }
      await patch(kube, pod, "", metadata.resourceVersion);
    });
  } catch (thrown) {
    if (!hasCode(thrown, "not_found")) throw thrown;
  }
}

async function patch(
  kube: KubeClient,
  pod: { readonly namespace: string; readonly name: string },
  value: string,
  resourceVersion: string | undefined,
): Promise<void> {
  const metadata = { annotations: { [podAddressAnnotation]: value }, resourceVersion };
  await kube.patch(pods, pod.name, { metadata }, { namespace: pod.namespace, kind: "merge" });
}

async function onConflictAgain(clock: Clock, work: () => Promise<void>): Promise<void> {
  for (let tried = 0; ; tried++) {
    try {
      await work();
      return;
    } catch (thrown) {
      const waitMs = conflictRetryMs[tried];
      if (waitMs === undefined || !hasCode(thrown, "conflict")) throw thrown;
      await clock.sleep(waitMs);
    }
  }
}
