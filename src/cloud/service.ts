import { EniverseError, messageOf } from "../base/error.ts";
import { noLog } from "../base/log.ts";
import type { Cloud, CloudParts } from "./cloud.ts";
import { accountOf, LocalCloud } from "./local-cloud.ts";
import { type BuiltNetwork, buildNetwork } from "./model/build-network.ts";
import { Ec2Fault } from "./model/fault.ts";
import { rebuild } from "./model/rebuild.ts";
import { CloudState } from "./model/state.ts";

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
export function createCloud(parts: CloudParts): Cloud {
  const state = new CloudState();
  const { store } = parts;
  const stored = store === undefined ? [] : [...store.load()];
  const secret = secretOf(parts);
  const log = parts.log ?? noLog;
  if (stored.length > 0) {
    rebuild(state, stored);
    const network = store?.note("network") as BuiltNetwork | undefined;
    if (network === undefined) {
      throw new EniverseError("corrupted", {
        attempted: "load the cloud",
        found: "resources without a note of the network that was built",
        fix: "Remove the store to start with an empty cloud",
      });
    }
    return new LocalCloud({ ...parts, log, state, network, secret });
  }
  const network = build(parts, state);
  store?.putNote("network", network);
  return new LocalCloud({ ...parts, log, state, network, secret });
}

function build(parts: CloudParts, state: CloudState): BuiltNetwork {
  const { config, clock, random } = parts;
  // What the configuration asks for is there from the start: nothing of it is "pending".
  const transitionsMs = { ...config.settings.transitionsMs, natGateway: 0 };
  const settings = { ...config.settings, transitionsMs };
  try {
    return buildNetwork(
      { state, now: clock.now(), random, account: accountOf(config), settings },
      config.vpc,
    );
  } catch (error) {
    if (!(error instanceof Ec2Fault)) throw error;
    throw new EniverseError("invalid_argument", {
      attempted: `build the VPC ${config.vpc.name}`,
      found: `${error.code}: ${messageOf(error)}`,
      fix: "Change the VPC in the lab's configuration.",
      cause: error,
    });
  }
}

/** The secret that seals metadata tokens; it stays the same over restarts. */
function secretOf({ store, random }: CloudParts): string {
  const noted = store?.note("imds-secret");
  if (typeof noted === "string") return noted;
  const secret = random.hex(64);
  store?.putNote("imds-secret", secret);
  return secret;
}
