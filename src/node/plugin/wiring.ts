import { EniverseError } from "../../base/error.ts";
import type { HostNetns } from "../../hostnet/host.ts";
import {
  type PodInterface,
  type PodRoute,
  setUpPodNetwork,
  tearDownPodNetwork,
  type WhenLinked,
} from "../../hostnet/pod-network.ts";
import type { AddNetworkReply } from "../rpc/messages.ts";

/** How the plugin changes the kernel; tests put a recorder in its place. */
export interface PodWiring {
  /** `whenLinked` is called once the pod's devices are there, while the rest is still to be done. */
  setUp(netns: string, interfaces: readonly PodInterface[], whenLinked: WhenLinked): Promise<void>;
  tearDown(pods: readonly PodRoute[]): void;
  /** For a pod with a branch ENI of its own; `wanted` has the host's veth name without its prefix set. */
  setUpBranch(netns: string, wanted: PodInterface, branch: BranchEni, whenLinked: WhenLinked): Promise<void>;
  tearDownBranch(vlanId: number, pod: PodRoute): void;
}

/** The branch ENI of a pod, from ipamd's reply. */
export interface BranchEni {
  readonly vlanId: number;
  readonly mac: string;
  readonly gateway: string;
  readonly trunkIndex: number;
}

export function branchOf(reply: AddNetworkReply): BranchEni {
  return {
    vlanId: reply.PodVlanId,
    mac: reply.PodENIMAC,
    gateway: reply.PodENISubnetGW,
    trunkIndex: reply.ParentIfIndex,
  };
}

/** The real wiring, in the node's network namespace. */
export function kernelWiring(host: HostNetns): PodWiring {
  return {
    setUp: (netns, interfaces, whenLinked) => setUpPodNetwork(host, netns, interfaces, { whenLinked }),
    tearDown: (pods) => tearDownPodNetwork(host, pods),
    setUpBranch: async (_netns, _wanted, branch) => {
      throw noBranchEnis(branch.vlanId);
    },
    tearDownBranch: (vlanId) => {
      throw noBranchEnis(vlanId);
    },
  };
}

function noBranchEnis(vlanId: number): EniverseError {
  return new EniverseError("unsupported", {
    attempted: `wire a pod with a branch ENI (VLAN ${vlanId})`,
    found: "security groups for pods are not part of this version",
    fix: "Leave ENABLE_POD_ENI at false",
  });
}
