import { EniverseError } from "../base/error.ts";
import type { Cloud, CloudParts } from "./cloud.ts";

export type {
  BuiltNetwork,
  Cloud,
  CloudHooks,
  CloudParts,
  ClusterChange,
  CreateClusterRequest,
  CreateNodegroupRequest,
  SettingsChange,
} from "./cloud.ts";

/**
 * Starts the local AWS: loads what the store has, or builds the configured network in an empty one. Throws
 * `invalid_argument` for a configuration that AWS would refuse.
 */
export function createCloud(_parts: CloudParts): Cloud {
  throw new EniverseError("unsupported", { attempted: "start the cloud", found: "it is being built" });
}
