import type { Filter } from "../aws/ec2.ts";
import type { Eni } from "../aws/shapes.ts";
import type { Random } from "../base/random.ts";

const instanceIdTag = "node.k8s.amazonaws.com/instance_id";
const createdAtTag = "node.k8s.amazonaws.com/createdAt";
const clusterNameTag = "cluster.k8s.amazonaws.com/name";
const descriptionPrefix = "aws-K8S-";

/** The search for leaked ENIs runs this often, each time after a random pause. All in milliseconds. */
export const leakSearchIntervalMs = 3_600_000;
const longestPauseSeconds = 300;

/** Younger ENIs may be on their way to an instance. */
const youngestLeakMs = 5 * 60_000;

/** The pause before a search, so that the nodes of a cluster do not all search at once. */
export function leakSearchPauseMs(random: Random): number {
  return random.int(longestPauseSeconds) * 1000;
}

/** What `DescribeNetworkInterfaces` is asked for: unattached ENIs that some node of the cluster once made. */
export function leakFilters(vpcId: string, clusterName: string | undefined): Filter[] {
  const filters: Filter[] = [
    { name: "tag-key", values: [instanceIdTag] },
    { name: "status", values: ["available"] },
    { name: "vpc-id", values: [vpcId] },
  ];
  if (clusterName !== undefined && clusterName !== "") {
    filters.push({ name: `tag:${clusterNameTag}`, values: [clusterName] });
  }
  return filters;
}

export type LeakVerdict =
  | "delete"
  /** Without a readable time of creation: tag it with the present, and look again next time. */
  | "tag-created-at"
  | "leave";

/** What to do with an ENI that the filters found. */
export function judgeLeak(eni: Pick<Eni, "description" | "tags">, now: number): LeakVerdict {
  if (!eni.description.startsWith(descriptionPrefix)) return "leave";
  const createdAt = eni.tags.find(({ key }) => key === createdAtTag)?.value;
  const time = createdAt === undefined ? Number.NaN : Date.parse(createdAt);
  if (Number.isNaN(time)) return "tag-created-at";
  return now - time < youngestLeakMs ? "leave" : "delete";
}
