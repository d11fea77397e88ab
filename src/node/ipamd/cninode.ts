import { hasCode } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { cniNodes } from "../../kube/resources.ts";

export interface CniNodeFeature {
  readonly name: "SecurityGroupsForPods" | "CustomNetworking";
  readonly value: string;
}

const conflictTries = 5;

/**
 * Asks the VPC resource controller for something by a feature of this node's CNINode. The same name with another
 * value is replaced; nothing is written when the feature is there already. Answers whether it was written.
 */
export async function addCniNodeFeature(
  kube: KubeClient,
  nodeName: string,
  feature: CniNodeFeature,
): Promise<boolean> {
  for (let tried = 1; ; tried++) {
    const found = await kube.get(cniNodes, nodeName);
    const present = found.spec?.features ?? [];
    if (present.some((entry) => entry.name === feature.name && (entry.value ?? "") === feature.value))
      return false;
    const features = [...present.filter((entry) => entry.name !== feature.name), feature];
    // The revision makes the API server refuse the patch when somebody was faster.
    const metadata = { resourceVersion: found.metadata.resourceVersion };
    try {
      await kube.patch(cniNodes, nodeName, { metadata, spec: { features } }, { kind: "merge" });
      return true;
    } catch (thrown) {
      if (tried >= conflictTries || !hasCode(thrown, "conflict")) throw thrown;
    }
  }
}
