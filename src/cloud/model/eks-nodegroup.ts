import { nodeRoleName } from "../config.ts";
import { findCluster, invalidParameter } from "./eks-cluster.ts";
import { Ec2Fault } from "./fault.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";
import { limitsOf } from "./type-limits.ts";

export interface NodegroupSize {
  readonly min: number;
  readonly max: number;
  readonly desired: number;
}

export interface EksNodegroup {
  readonly clusterName: string;
  readonly name: string;
  readonly arn: string;
  readonly createdAt: number;
  readonly version: string;
  readonly instanceTypes: readonly string[];
  readonly subnetIds: readonly string[];
  readonly nodeRole: string;
  /** What the group's nodes tell their kubelets; absent leaves it to the instance type. */
  readonly maxPods: number | undefined;
  size: NodegroupSize;
  readonly labels: Readonly<Record<string, string>>;
  status: "CREATING" | "ACTIVE" | "UPDATING" | "DELETING" | "DEGRADED";
  readonly tags: Tags;
}

export interface CreateNodegroupRequest {
  readonly clusterName: string;
  readonly name: string;
  readonly instanceTypes: readonly string[];
  readonly subnetIds: readonly string[];
  readonly size: NodegroupSize;
  /** Name of the role; the usual node role when absent. */
  readonly nodeRole?: string;
  readonly maxPods?: number;
  readonly labels?: Readonly<Record<string, string>>;
  readonly tags?: Readonly<Record<string, string>>;
}

/** Records a node group; its instances are launched by the lab. */
export function createNodegroup(ctx: Context, request: CreateNodegroupRequest): EksNodegroup {
  const { state, account, random } = ctx;
  const { clusterName, name, size } = request;
  const cluster = findCluster(state, clusterName);
  const key = `${clusterName}/${name}`;
  if (state.nodegroups.has(key)) {
    throw new Ec2Fault(
      "ResourceInUseException",
      `NodeGroup already exists with name ${name} and cluster name ${clusterName}`,
      409,
    );
  }
  if (!(size.min >= 0 && size.min <= size.desired && size.desired <= size.max && size.max >= 1)) {
    throw invalidParameter(
      `Minimum capacity ${size.min}, desired capacity ${size.desired} and maximum capacity ${size.max} must be in this order`,
    );
  }
  for (const subnetId of request.subnetIds) {
    if (state.subnets.get(subnetId)?.vpcId !== cluster.vpcId) {
      throw invalidParameter(`Subnet ${subnetId} is not in the VPC of the cluster`);
    }
  }
  for (const instanceType of request.instanceTypes) limitsOf(instanceType);
  const nodegroup: EksNodegroup = {
    clusterName,
    name,
    arn: `arn:aws:eks:${account.region}:${account.accountId}:nodegroup/${clusterName}/${name}/${random.hex(8)}-${random.hex(4)}-${random.hex(4)}-${random.hex(4)}-${random.hex(12)}`,
    createdAt: ctx.now,
    version: cluster.version,
    instanceTypes: [...request.instanceTypes],
    subnetIds: [...request.subnetIds],
    nodeRole: `arn:aws:iam::${account.accountId}:role/${request.nodeRole ?? nodeRoleName}`,
    maxPods: request.maxPods,
    size,
    labels: request.labels ?? {},
    status: "ACTIVE",
    tags: newTags(Object.entries(request.tags ?? {})),
  };
  state.put("nodegroup", key, nodegroup);
  return nodegroup;
}

export function findNodegroup(state: CloudState, clusterName: string, name: string): EksNodegroup {
  findCluster(state, clusterName);
  const nodegroup = state.nodegroups.get(`${clusterName}/${name}`);
  if (nodegroup === undefined) {
    throw new Ec2Fault("ResourceNotFoundException", `No node group found for name: ${name}.`, 404);
  }
  return nodegroup;
}

export function resizeNodegroup(ctx: Context, clusterName: string, name: string, size: NodegroupSize): void {
  findNodegroup(ctx.state, clusterName, name).size = size;
  ctx.state.touch("nodegroup", `${clusterName}/${name}`);
}

export function deleteNodegroup(ctx: Context, clusterName: string, name: string): void {
  findNodegroup(ctx.state, clusterName, name);
  ctx.state.drop("nodegroup", `${clusterName}/${name}`);
}
