import { EniverseError, hasCode } from "../../base/error.ts";
import type { KubeClient } from "../../kube/client.ts";
import { eniConfigs, type Node } from "../../kube/resources.ts";

const externalLabel = "vpc.amazonaws.com/externalEniConfig";

/** Where a node's new ENIs go under custom networking. */
export interface EniConfigChoice {
  readonly name: string;
  readonly subnetId: string;
  /** Empty: those of the primary ENI. */
  readonly securityGroups: readonly string[];
}

/**
 * The name of a node's ENIConfig; first hit wins: the external label, the annotation, the label, "default". An
 * unreadable node counts as one without any.
 */
export function eniConfigName(
  node: Node | undefined,
  keys: { readonly annotation: string; readonly label: string },
): string {
  const labels = node?.metadata.labels ?? {};
  const annotations = node?.metadata.annotations ?? {};
  return (
    labels[externalLabel] ||
    annotations[keys.annotation || defaultKey] ||
    labels[keys.label || defaultKey] ||
    "default"
  );
}

const defaultKey = "k8s.amazonaws.com/eniConfig";

/** Reads an ENIConfig; throws `not_found` or `invalid_argument` with what to do. */
export async function readEniConfig(kube: KubeClient, name: string): Promise<EniConfigChoice> {
  const attempted = `read the ENIConfig ${name}`;
  try {
    const { spec } = await kube.get(eniConfigs, name);
    if (spec.subnet === undefined || spec.subnet === "") {
      throw new EniverseError("invalid_argument", {
        attempted,
        found: "no spec.subnet",
        wanted: "the id of a subnet in the node's zone",
        facts: { reason: "ENIConfigInvalid" },
      });
    }
    return { name, subnetId: spec.subnet, securityGroups: spec.securityGroups ?? [] };
  } catch (thrown) {
    if (!hasCode(thrown, "not_found")) throw thrown;
    throw new EniverseError("not_found", {
      attempted,
      found: "eniconfig: eniconfig is not available",
      fix: `Create an ENIConfig named ${name}, or name another by the node's annotation or label`,
      cause: thrown,
      facts: { reason: "ENIConfigNotFound" },
    });
  }
}
