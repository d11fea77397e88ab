import { faults } from "./fault.ts";
import { checkId } from "./ids.ts";
import type { Instance } from "./instance.ts";
import type { NetworkInterface } from "./network-interface.ts";
import type { RouteTable } from "./route-table.ts";
import type { SecurityGroup } from "./security-group.ts";
import type { CloudState } from "./state.ts";
import type { Subnet } from "./subnet.ts";
import type { Vpc } from "./vpc.ts";

/** Finding a resource by id, with the faults of EC2 for ids that are malformed or unknown. */

export function findVpc(state: CloudState, vpcId: string): Vpc {
  const vpc = state.vpcs.get(vpcId);
  if (vpc === undefined) throw faults.notFound("InvalidVpcID.NotFound", "vpc ID", vpcId);
  return vpc;
}

export function findSubnet(state: CloudState, subnetId: string): Subnet {
  const subnet = state.subnets.get(subnetId);
  if (subnet === undefined) throw faults.notFound("InvalidSubnetID.NotFound", "subnet ID", subnetId);
  return subnet;
}

export function findEni(state: CloudState, eniId: string): NetworkInterface {
  checkId(eniId, "eni", "InvalidNetworkInterfaceId.Malformed");
  const eni = state.enis.get(eniId);
  if (eni === undefined)
    throw faults.notFound("InvalidNetworkInterfaceID.NotFound", "networkInterface ID", eniId);
  return eni;
}

export function findInstance(state: CloudState, instanceId: string): Instance {
  checkId(instanceId, "i", "InvalidInstanceID.Malformed");
  const instance = state.instances.get(instanceId);
  if (instance === undefined) throw faults.notFound("InvalidInstanceID.NotFound", "instance ID", instanceId);
  return instance;
}

export function findGroup(state: CloudState, groupId: string): SecurityGroup {
  const group = state.securityGroups.get(groupId);
  if (group === undefined) throw faults.notFound("InvalidGroup.NotFound", "security group", groupId);
  return group;
}

export function findRouteTable(state: CloudState, routeTableId: string): RouteTable {
  const table = state.routeTables.get(routeTableId);
  if (table === undefined) {
    throw faults.notFound("InvalidRouteTableID.NotFound", "routeTable ID", routeTableId);
  }
  return table;
}

/** The interfaces of a subnet. */
export function* enisIn(state: CloudState, subnetId: string): Generator<NetworkInterface> {
  for (const eniId of state.enisOfSubnet.get(subnetId) ?? []) {
    const eni = state.enis.get(eniId);
    if (eni !== undefined) yield eni;
  }
}

/** The interface behind an attachment id. */
export function findAttached(state: CloudState, attachmentId: string): NetworkInterface {
  checkId(attachmentId, "eni-attach", "InvalidNetworkInterfaceAttachmentId.Malformed");
  const eni = state.enis.get(state.attachments.get(attachmentId) ?? "");
  if (eni !== undefined) return eni;
  throw faults.notFound("InvalidAttachmentID.NotFound", "interface attachment", attachmentId);
}
