import { EniverseError } from "../base/error.ts";
import type { Cloud, CloudParts } from "./cloud.ts";

export type { Cloud, CloudHooks, CloudParts, SettingsChange } from "./cloud.ts";
export type { BuiltNetwork } from "./model/build-network.ts";
export type { ClusterChange, CreateClusterRequest, EksCluster } from "./model/eks-cluster.ts";
export type { CreateNodegroupRequest, EksNodegroup } from "./model/eks-nodegroup.ts";
export type { Instance } from "./model/instance.ts";
export type { RunInstancesRequest } from "./model/instance-launch.ts";

/**
 * Starts the local AWS: loads what the store has, or builds the configured network in an empty one. Throws
 * `invalid_argument` for a configuration that AWS would refuse.
 */
export function createCloud(_parts: CloudParts): Cloud {
  throw new EniverseError("unsupported", { attempted: "start the cloud", found: "it is being built" });
}
