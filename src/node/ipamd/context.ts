import type { Ec2 } from "../../aws/ec2.ts";
import type { Imds } from "../../aws/imds.ts";
import type { NodeFacts } from "../../aws/instance-metadata.ts";
import type { ConnectionTracking } from "../../aws/shapes.ts";
import type { Clock } from "../../base/clock.ts";
import type { Log } from "../../base/log.ts";
import type { Random } from "../../base/random.ts";
import type { Settings } from "../../ipam/settings.ts";
import type { KubeClient } from "../../kube/client.ts";
import type { Node } from "../../kube/resources.ts";
import type { NodeEnvironment } from "../environment.ts";
import type { NodeEni } from "./attached-enis.ts";
import type { DeviceIndexes } from "./device-indexes.ts";
import type { EventWriter } from "./events.ts";
import type { HostNetwork } from "./host-port.ts";
import type { Metrics } from "./metrics.ts";

/** What the parts of ipamd share: the doors to EC2, IMDS, Kubernetes and the kernel, and what the node is. */
export interface Context {
  readonly env: NodeEnvironment;
  readonly settings: Settings;
  readonly facts: NodeFacts;
  readonly ec2: Ec2;
  readonly imds: Imds;
  readonly host: HostNetwork;
  /** Absent while the API server cannot be reached and nothing needs it. */
  readonly kube: () => KubeClient | undefined;
  /** The node's own object, as last seen. */
  readonly node: () => Node | undefined;
  readonly events: () => EventWriter | undefined;
  readonly clock: Clock;
  /** Spreads retries; another on every node. */
  readonly random: Random;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly devices: DeviceIndexes;
  readonly known: NodeKnowledge;
  /** Pods that the instance type is good for; undefined for a type that is not in our table. */
  readonly typeMaxPods: number | undefined;
  /** Number of managed network cards. */
  readonly cardCount: () => number;
  /** MAC address of the trunk ENI, when there is one. */
  readonly trunkMac: () => string | undefined;
}

/** What ipamd has learnt about its ENIs; filled by start-up, the ENI calls and reconcile. */
export interface NodeKnowledge {
  /** Security groups of the primary ENI, sorted; new ENIs get them. */
  securityGroups: readonly string[];
  /** Groups of each ENI, sorted and joined by commas, as far as known. */
  readonly groupsOf: Map<string, string>;
  /** Time-outs of the primary ENI that new ENIs copy. */
  connectionTracking: ConnectionTracking | undefined;
  vpcCidrs: readonly string[];
  readonly attachmentIds: Map<string, string>;
  /** MAC addresses by ENI id. */
  readonly macs: Map<string, string>;
  /** Each ENI's own address, of the mode's family, by ENI id. */
  readonly primaryAddresses: Map<string, string>;
  /** Blocks of the mode's family by subnet id. */
  readonly subnetCidrs: Map<string, string>;
  /** ENIs that are not ours to touch. */
  unmanaged: ReadonlySet<string>;
  /** Where new ENIs may go, best first, as of the last look. */
  newEniSubnets: readonly string[] | undefined;
}

export function emptyKnowledge(): NodeKnowledge {
  return {
    securityGroups: [],
    groupsOf: new Map(),
    connectionTracking: undefined,
    vpcCidrs: [],
    attachmentIds: new Map(),
    macs: new Map(),
    primaryAddresses: new Map(),
    subnetCidrs: new Map(),
    unmanaged: new Set(),
    newEniSubnets: undefined,
  };
}

/** Notes what an attached ENI tells. */
export function learn(known: NodeKnowledge, eni: NodeEni, family: 4 | 6): void {
  known.macs.set(eni.id, eni.mac);
  const address = family === 4 ? eni.primaryAddress : eni.primaryIpv6;
  if (address !== undefined) known.primaryAddresses.set(eni.id, address);
  const cidr = family === 4 ? eni.subnetIpv4Cidr : eni.subnetIpv6Cidr;
  if (cidr !== undefined) known.subnetCidrs.set(eni.subnetId, cidr);
  if (eni.ec2 !== undefined) known.groupsOf.set(eni.id, eni.ec2.groups.toSorted().join());
  if (eni.ec2?.attachmentId !== undefined) known.attachmentIds.set(eni.id, eni.ec2.attachmentId);
}
