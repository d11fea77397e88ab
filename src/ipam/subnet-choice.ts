import type { Subnet, Tag } from "../aws/shapes.ts";
import { EniverseError } from "../base/error.ts";

/** `0` excludes a subnet from pod networking, any other value lets it take part. */
export const subnetRoleTag = "kubernetes.io/role/cni";

/** With a cluster's name behind it: the subnet is for that cluster. Only the key matters. */
export const subnetClusterTagPrefix = "cni.networking.k8s.aws/cluster/";

type TaggedSubnet = Pick<Subnet, "subnetId" | "tags">;

export interface SubnetRules {
  readonly primarySubnetId: string;
  /** CLUSTER_NAME; undefined: subnets of every cluster will do. */
  readonly clusterName: string | undefined;
}

export type SubnetVerdict =
  | { readonly usable: true }
  | { readonly usable: false; readonly why: "excluded" | "no-role-tag" | "other-cluster" };

/** Whether new ENIs may be created in a subnet of the node's VPC and zone. */
export function judgeSubnet(subnet: TaggedSubnet, rules: SubnetRules): SubnetVerdict {
  const role = roleOf(subnet);
  if (role === "0") return { usable: false, why: "excluded" };
  if (role === "") {
    // Untagged, the node's own subnet is used whatever cluster it is tagged for.
    return subnet.subnetId === rules.primarySubnetId
      ? { usable: true }
      : { usable: false, why: "no-role-tag" };
  }
  return isForCluster(subnet.tags, rules.clusterName)
    ? { usable: true }
    : { usable: false, why: "other-cluster" };
}

/**
 * Whether an ENI in this subnet is kept from serving pods. `listed` are the subnets of the node's VPC and zone; a
 * subnet that is not among them (another account's, as on HyperPod) is not excluded.
 */
export function isSubnetExcluded(
  subnetId: string,
  listed: readonly TaggedSubnet[],
  clusterName: string | undefined,
): boolean {
  const subnet = listed.find((each) => each.subnetId === subnetId);
  if (subnet === undefined) return false;
  const role = roleOf(subnet);
  if (role === "") return false;
  return role === "0" || !isForCluster(subnet.tags, clusterName);
}

/**
 * Where a new ENI may be created under subnet discovery, the roomiest first; subnets in `avoid` (in back-off) are
 * left out. Throws `not_found` when the tags allow none.
 */
export function rankSubnets(
  listed: readonly Subnet[],
  rules: SubnetRules,
  avoid: readonly string[] = [],
): Subnet[] {
  const usable = listed.filter((subnet) => judgeSubnet(subnet, rules).usable);
  if (usable.length === 0) {
    throw new EniverseError("not_found", {
      attempted: "find a subnet for a new ENI",
      found: `all ${listed.length} subnets of the zone are untagged or have ${subnetRoleTag}=0`,
      wanted: `a subnet with the tag ${subnetRoleTag}=1${rules.clusterName === undefined ? "" : `, and if it is tagged for clusters also ${subnetClusterTagPrefix}${rules.clusterName}`}`,
      fix: `Tag a subnet of the node's zone, or take ${subnetRoleTag}=0 off the node's own subnet`,
      facts: { reason: "NoSubnetForENI" },
    });
  }
  return usable
    .filter(({ subnetId }) => !avoid.includes(subnetId))
    .toSorted((a, b) => b.availableIpAddressCount - a.availableIpAddressCount);
}

/**
 * The only subnet for new ENIs when discovery is off: the node's own. Throws `permission_denied` when it is
 * excluded by tag; `listed` undefined means that the tags could not be read, which excludes nothing.
 */
export function primarySubnetOnly(listed: readonly TaggedSubnet[] | undefined, rules: SubnetRules): string {
  if (listed !== undefined && isSubnetExcluded(rules.primarySubnetId, listed, rules.clusterName)) {
    throw new EniverseError("permission_denied", {
      attempted: `create an ENI in ${rules.primarySubnetId}`,
      found: `the node's own subnet is excluded by its tag ${subnetRoleTag}, and ENABLE_SUBNET_DISCOVERY is false`,
      fix: "Set ENABLE_SUBNET_DISCOVERY=true or change the tag",
      facts: { reason: "NoSubnetForENI" },
    });
  }
  return rules.primarySubnetId;
}

/** The role tag's value; an empty one counts as none. */
function roleOf({ tags }: TaggedSubnet): string {
  return tags.find(({ key }) => key === subnetRoleTag)?.value ?? "";
}

function isForCluster(tags: readonly Tag[], clusterName: string | undefined): boolean {
  if (clusterName === undefined || clusterName === "") return true;
  const clusters = tags.filter(({ key }) => key.startsWith(subnetClusterTagPrefix));
  return clusters.length === 0 || clusters.some(({ key }) => key === subnetClusterTagPrefix + clusterName);
}
