import { formatIpv4 } from "../addr/ipv4.ts";
import type { Subnet } from "../aws/shapes.ts";
import type { Random } from "../base/random.ts";
import { attachEni, attachmentsOf, detachEni } from "../cloud/model/attachment.ts";
import { Ec2Fault } from "../cloud/model/fault.ts";
import { findInstance } from "../cloud/model/lookup.ts";
import { createEni, deleteEni, modifyEni, type NetworkInterface } from "../cloud/model/network-interface.ts";
import type { Context } from "../cloud/model/state.ts";
import { routeTableOf } from "../ipam/facts.ts";
import type { Settings } from "../ipam/settings.ts";
import { primarySubnetOnly, rankSubnets } from "../ipam/subnet-choice.ts";
import type { CreateEniAction, PodKey, Pool, PoolEniFacts } from "../ipam/types.ts";
import type { SdkClient, SimEc2 } from "./ec2.ts";
import type { EventQueue } from "./events.ts";
import type { Process } from "./process.ts";

/** A pod that wants an address. */
export interface PodAsk {
  readonly key: PodKey;
  /** It has one. */
  served(): void;
}

/** What decides on a node: hands addresses out and keeps the pool. */
export interface NodeDriver {
  readonly pool: Pool;
  /** Starts ipamd; `ready` is called once, when pods can be served. */
  start(ready: () => void): void;
  ask(pod: PodAsk): void;
  /** The pod is gone: its address goes back, or it waits no longer. */
  release(key: PodKey): void;
  /** The instance was ended. */
  stop(): void;
}

/** Something that went wrong, in words that group the like. */
export interface Failure {
  /** "CreateNetworkInterface: InsufficientFreeAddressesInSubnet", "a pod was refused an address". */
  readonly what: string;
  readonly why: string;
  readonly node: string;
}

/** The instance under a driver, and the world around it. */
export interface Machine {
  readonly name: string;
  readonly instanceId: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly subnetId: string;
  readonly settings: Settings;
  readonly maxPods: number;
  /** The ENIConfig's subnet, with custom networking. */
  readonly podSubnetId: string | undefined;
  readonly queue: EventQueue;
  readonly ec2: SimEc2;
  readonly client: SdkClient;
  /** For jitter. */
  readonly random: Random;
  readonly imdsLagMs: number;
  failed(failure: Failure): void;
}

/** How patiently the CNI detaches and deletes: twelve tries, doubling pauses (`node/ipamd/tries.ts`). */
export function* patiently<T>(firstMs: number, work: () => Process<T>): Process<T> {
  let pauseMs = firstMs;
  for (let tried = 1; ; tried++) {
    try {
      return yield* work();
    } catch (thrown) {
      const isFinal =
        !(thrown instanceof Ec2Fault) ||
        thrown.code.endsWith(".NotFound") ||
        thrown.code === "OperationNotPermitted";
      if (isFinal || tried >= 12) throw thrown;
    }
    yield pauseMs;
    pauseMs = Math.min(pauseMs * 2, 60_000);
  }
}

/** The subnets of a zone as DescribeSubnets shows them. */
export function subnetsOfZone({ state }: Context, machine: Machine): Subnet[] {
  const found: Subnet[] = [];
  for (const subnet of state.subnets.values()) {
    if (subnet.vpcId !== machine.vpcId || subnet.zone !== machine.zone) continue;
    found.push({
      subnetId: subnet.subnetId,
      vpcId: subnet.vpcId,
      availabilityZone: subnet.zone,
      cidrBlock: "",
      ipv6CidrBlocks: [],
      availableIpAddressCount: state.spaces.get(subnet.subnetId)?.freeCount ?? 0,
      tags: Array.from(Object.entries(Object.fromEntries(subnet.tags)), ([key, value]) => ({ key, value })),
    });
  }
  return found;
}

/** DescribeSubnets of the node's zone. */
export function describeSubnets(machine: Machine): Process<Subnet[]> {
  return machine.ec2.call(machine.client, "DescribeSubnets", (ctx) => subnetsOfZone(ctx, machine));
}

/** Where a new ENI may be created, best first, by the settings (`node/ipamd/eni-places.ts`). */
export function* eniPlaces(machine: Machine, describe: () => Process<Subnet[]>): Process<string[]> {
  if (machine.settings.customNetworking)
    return machine.podSubnetId === undefined ? [] : [machine.podSubnetId];
  const listed = yield* describe();
  const rules = { primarySubnetId: machine.subnetId, clusterName: undefined };
  if (!machine.settings.subnetDiscovery) return [primarySubnetOnly(listed, rules)];
  return rankSubnets(listed, rules).map(({ subnetId }) => subnetId);
}

const instanceIdTag = "node.k8s.amazonaws.com/instance_id";

/** CreateNetworkInterface in one subnet. */
export function createEniIn(
  machine: Machine,
  subnetId: string,
  want: Pick<CreateEniAction, "what" | "count">,
): Process<NetworkInterface> {
  return machine.ec2.call(machine.client, "CreateNetworkInterface", (ctx) =>
    createEni(ctx, {
      subnetId,
      description: `aws-K8S-${machine.instanceId}`,
      requesterId: machine.instanceId,
      tags: [[instanceIdTag, machine.instanceId]],
      ...(want.what === "ipv4-prefixes" ? { prefixCount: want.count } : { addressCount: want.count }),
    }),
  );
}

/** DescribeInstances: the device indexes that are taken. */
export function takenIndexes(machine: Machine): Process<ReadonlySet<number>> {
  return machine.ec2.call(machine.client, "DescribeInstances", (ctx) => {
    const instance = findInstance(ctx.state, machine.instanceId);
    return new Set(attachmentsOf(ctx.state, instance).map(({ deviceIndex }) => deviceIndex));
  });
}

/** The lowest device index that is free, going by what is taken and what is reserved. */
export function lowestIndex(taken: ReadonlySet<number>, reserved: ReadonlySet<number>): number {
  let index = 0;
  while (taken.has(index) || reserved.has(index)) index++;
  return index;
}

/** Attaches; answers with the attachment's id and when the device will have appeared. */
export function attach(
  machine: Machine,
  eniId: string,
  deviceIndex: number,
): Process<{ readonly attachmentId: string; readonly deviceAt: number }> {
  return machine.ec2.call(machine.client, "AttachNetworkInterface", (ctx) => {
    const { attachmentId, dueAt } = attachEni(ctx, { eniId, instanceId: machine.instanceId, deviceIndex });
    return { attachmentId, deviceAt: dueAt ?? ctx.now };
  });
}

export function markForDeletion(machine: Machine, eniId: string, attachmentId: string): Process<void> {
  return machine.ec2.call(machine.client, "ModifyNetworkInterfaceAttribute", (ctx) =>
    modifyEni(ctx, eniId, { deleteOnTermination: { attachmentId, value: true } }),
  );
}

export function deletePatiently(machine: Machine, eniId: string): Process<void> {
  return patiently(500, () =>
    machine.ec2.call(machine.client, "DeleteNetworkInterface", (ctx) => deleteEni(ctx, eniId)),
  );
}

export function detachPatiently(machine: Machine, attachmentId: string): Process<void> {
  return patiently(200, () =>
    machine.ec2.call(machine.client, "DetachNetworkInterface", (ctx) => {
      detachEni(ctx, attachmentId);
    }),
  );
}

/** True for a fault that says that the thing is gone already. */
export function isGone(thrown: unknown): boolean {
  return thrown instanceof Ec2Fault && thrown.code.endsWith(".NotFound");
}

/** EC2 would not look at the request because the account makes too many. */
export function isThrottling(thrown: unknown): boolean {
  return thrown instanceof Ec2Fault && thrown.code === "RequestLimitExceeded";
}

/** EC2 said that a subnet has no room. */
export function isInsufficient(thrown: unknown): boolean {
  return (
    thrown instanceof Ec2Fault &&
    (thrown.code === "InsufficientCidrBlocks" || thrown.code === "InsufficientFreeAddressesInSubnet")
  );
}

/** A pool's view of an ENI of the model. */
export function eniFacts(
  eni: Pick<NetworkInterface, "eniId" | "subnetId" | "addresses">,
  deviceNumber: number,
  excluded = false,
): PoolEniFacts {
  const [own] = eni.addresses;
  return {
    id: eni.eniId,
    deviceNumber,
    routeTable: routeTableOf(0, deviceNumber),
    subnetId: eni.subnetId,
    primary: deviceNumber === 0,
    trunk: false,
    efa: false,
    excluded,
    ...(own === undefined ? {} : { primaryAddress: formatIpv4(own) }),
  };
}

/** The secondary addresses and prefixes of an ENI as EC2 writes them. */
export function blocksOfEni(eni: Pick<NetworkInterface, "addresses" | "prefixes">): {
  readonly addresses: string[];
  readonly prefixes: string[];
} {
  return {
    addresses: eni.addresses.slice(1).map(formatIpv4),
    prefixes: eni.prefixes.map((base) => `${formatIpv4(base)}/28`),
  };
}
