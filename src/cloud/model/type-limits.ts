import {
  type InstanceLimits,
  instanceLimits,
  supportsPrefixDelegation,
} from "../../limits/instance-types.ts";
import { faults } from "./fault.ts";
import type { NetworkInterface } from "./network-interface.ts";
import type { CloudState } from "./state.ts";

const known = new Map<string, InstanceLimits>();

/** The limits of an instance type; throws InvalidParameterValue for an unknown one. */
export function limitsOf(instanceType: string): InstanceLimits {
  let limits = known.get(instanceType);
  if (limits === undefined) {
    limits = instanceLimits(instanceType);
    if (limits === undefined) {
      throw faults.invalid(`Invalid value '${instanceType}' for InstanceType.`);
    }
    known.set(instanceType, limits);
  }
  return limits;
}

/** The limits of the instance that an interface is attached to; undefined while it is on none. */
export function limitsOfHolder(state: CloudState, eni: NetworkInterface): InstanceLimits | undefined {
  const instanceId = eni.attachment?.instanceId;
  const instance = instanceId === undefined ? undefined : state.instances.get(instanceId);
  return instance === undefined ? undefined : limitsOf(instance.instanceType);
}

/** Throws unless an interface may hold so many IPv4 slots; a prefix takes one, as an address does. */
export function checkIpv4Slots(limits: InstanceLimits | undefined, slots: number): void {
  if (limits !== undefined && slots > limits.ipv4PerEni) throw faults.addressLimit();
}

/** As {@link checkIpv4Slots} for IPv6; all types with IPv6 allow as many as of IPv4. */
export function checkIpv6Slots(limits: InstanceLimits | undefined, slots: number): void {
  if (limits !== undefined && slots > limits.ipv4PerEni) throw faults.addressLimit();
}

/** Throws unless the type can have prefixes: Nitro and bare metal only. */
export function checkPrefixes(limits: InstanceLimits | undefined, count: number): void {
  if (count > 0 && limits !== undefined && !supportsPrefixDelegation(limits)) {
    throw faults.invalid(`Prefixes are not supported on instance type ${limits.instanceType}.`);
  }
}
