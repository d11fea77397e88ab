import { type Cidr4, type Cidr6, cidrContains, cidrsOverlap, formatCidr } from "../../addr/cidr.ts";
import { Ipv6Space } from "../../addr/ipv6-space.ts";
import { SubnetSpace } from "../../addr/subnet-space.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { enisIn, findSubnet, findVpc } from "./lookup.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";
import type { CidrAssociation, Vpc } from "./vpc.ts";

export interface Subnet {
  readonly subnetId: string;
  readonly ownerId: string;
  readonly vpcId: string;
  readonly zone: string;
  readonly zoneId: string;
  readonly cidr: Cidr4;
  /** At most one. */
  readonly ipv6Cidrs: CidrAssociation<Cidr6>[];
  mapPublicIpOnLaunch: boolean;
  assignIpv6OnCreation: boolean;
  dns64: boolean;
  hostnameType: "ip-name" | "resource-name";
  resourceNameARecord: boolean;
  resourceNameAaaaRecord: boolean;
  readonly aclAssociationId: string;
  readonly tags: Tags;
}

export interface CreateSubnetRequest {
  readonly vpcId: string;
  readonly cidr: Cidr4;
  /** A /64 of the VPC's IPv6 block. */
  readonly ipv6Cidr?: Cidr6;
  /** By name or by id; the first zone of the region when absent. */
  readonly zone?: string;
  readonly tags?: Iterable<readonly [string, string]>;
}

export function createSubnet(ctx: Context, request: CreateSubnetRequest): Subnet {
  const { state, account, random } = ctx;
  const vpc = findVpc(state, request.vpcId);
  const zone =
    request.zone === undefined
      ? account.zones[0]
      : account.zones.find((one) => one.name === request.zone || one.id === request.zone);
  if (zone === undefined) {
    const known = account.zones.map((one) => one.name).join(", ");
    throw faults.badValue(
      request.zone ?? "",
      "availabilityZone",
      `Subnets can currently only be created in the following availability zones: ${known}.`,
    );
  }
  checkSubnetBlock(state, vpc, request.cidr);
  const siblings = [...state.subnets.values()].filter((subnet) => subnet.vpcId === vpc.vpcId);
  if (siblings.length >= ctx.settings.limits.subnetsPerVpc) {
    throw new Ec2Fault("SubnetLimitExceeded", "The maximum number of subnets has been reached.");
  }
  if (request.ipv6Cidr !== undefined) checkIpv6Block(state, vpc, request.ipv6Cidr);
  const subnetId = newId("subnet", random);
  const subnet: Subnet = {
    subnetId,
    ownerId: account.accountId,
    vpcId: vpc.vpcId,
    zone: zone.name,
    zoneId: zone.id,
    cidr: request.cidr,
    ipv6Cidrs:
      request.ipv6Cidr === undefined
        ? []
        : [{ associationId: newId("subnet-cidr-assoc", random), cidr: request.ipv6Cidr }],
    mapPublicIpOnLaunch: false,
    assignIpv6OnCreation: false,
    dns64: false,
    hostnameType: "ip-name",
    resourceNameARecord: false,
    resourceNameAaaaRecord: false,
    aclAssociationId: newId("aclassoc", random),
    tags: newTags(request.tags),
  };
  state.put("subnet", subnetId, subnet);
  openSpaces(state, subnet);
  return subnet;
}

/** Makes the index of a subnet's free addresses, all of them free. */
export function openSpaces(state: CloudState, subnet: Subnet): void {
  state.spaces.set(subnet.subnetId, new SubnetSpace(subnet.cidr));
  state.enisOfSubnet.set(subnet.subnetId, new Set());
  const ipv6Block = subnet.ipv6Cidrs[0];
  if (ipv6Block !== undefined) state.ipv6Spaces.set(subnet.subnetId, new Ipv6Space(ipv6Block.cidr));
}

function checkSubnetBlock(state: CloudState, vpc: Vpc, cidr: Cidr4): void {
  const text = formatCidr(cidr);
  const inside = vpc.cidrs.some((one) => cidrContains(one.cidr, cidr));
  if (cidr.bits < 16 || cidr.bits > 28 || !inside) {
    throw new Ec2Fault("InvalidSubnet.Range", `The CIDR '${text}' is invalid.`);
  }
  for (const other of state.subnets.values()) {
    if (other.vpcId === vpc.vpcId && cidrsOverlap(other.cidr, cidr)) throw subnetConflict(text);
  }
}

function checkIpv6Block(state: CloudState, vpc: Vpc, cidr: Cidr6): void {
  const text = formatCidr(cidr);
  if (cidr.bits !== 64 || !vpc.ipv6Cidrs.some((one) => cidrContains(one.cidr, cidr))) {
    throw new Ec2Fault("InvalidSubnet.Range", `The CIDR '${text}' is invalid.`);
  }
  const used = state.subnets.values().flatMap((subnet) => subnet.ipv6Cidrs);
  if (used.some((one) => cidrsOverlap(one.cidr, cidr))) throw subnetConflict(text);
}

function subnetConflict(text: string): Ec2Fault {
  return new Ec2Fault("InvalidSubnet.Conflict", `The CIDR '${text}' conflicts with another subnet`);
}

/** Throws DependencyViolation while an interface is in the subnet. */
export function deleteSubnet(ctx: Context, subnetId: string): void {
  const { state } = ctx;
  const subnet = findSubnet(state, subnetId);
  if (!enisIn(state, subnetId).next().done) throw faults.dependency("subnet", subnetId);
  for (const table of state.routeTables.values()) {
    const index = table.associations.findIndex((association) => association.subnetId === subnetId);
    if (index < 0) continue;
    table.associations.splice(index, 1);
    state.touch("route-table", table.routeTableId);
  }
  for (const reservation of [...state.reservations.values()]) {
    if (reservation.subnetId === subnetId) state.drop("subnet-cidr-reservation", reservation.reservationId);
  }
  state.spaces.delete(subnetId);
  state.ipv6Spaces.delete(subnetId);
  state.enisOfSubnet.delete(subnetId);
  state.drop("subnet", subnet.subnetId);
}

export function associateSubnetIpv6(ctx: Context, subnetId: string, cidr: Cidr6): CidrAssociation<Cidr6> {
  const { state } = ctx;
  const subnet = findSubnet(state, subnetId);
  if (subnet.ipv6Cidrs.length > 0) {
    throw new Ec2Fault("InvalidSubnet.Conflict", `The subnet '${subnetId}' already has an IPv6 CIDR block`);
  }
  checkIpv6Block(state, findVpc(state, subnet.vpcId), cidr);
  const association = { associationId: newId("subnet-cidr-assoc", ctx.random), cidr };
  subnet.ipv6Cidrs.push(association);
  state.ipv6Spaces.set(subnetId, new Ipv6Space(cidr));
  state.touch("subnet", subnetId);
  return association;
}

/** Removes the IPv6 block; no interface may have addresses of it. */
export function disassociateSubnetIpv6(
  ctx: Context,
  associationId: string,
): { readonly subnetId: string; readonly association: CidrAssociation<Cidr6> } {
  const { state } = ctx;
  for (const subnet of state.subnets.values()) {
    const association = subnet.ipv6Cidrs.find((one) => one.associationId === associationId);
    if (association === undefined) continue;
    const used = enisIn(state, subnet.subnetId).some(
      (eni) => eni.ipv6Addresses.length > 0 || eni.ipv6Prefixes.length > 0,
    );
    if (used) throw faults.dependency("subnet", subnet.subnetId);
    subnet.ipv6Cidrs.length = 0;
    state.ipv6Spaces.delete(subnet.subnetId);
    state.touch("subnet", subnet.subnetId);
    return { subnetId: subnet.subnetId, association };
  }
  throw faults.notFound(
    "InvalidSubnetCidrBlockAssociationID.NotFound",
    "subnet CIDR block with association ID",
    associationId,
  );
}

export type SubnetAttributes = Partial<
  Pick<
    Subnet,
    | "mapPublicIpOnLaunch"
    | "assignIpv6OnCreation"
    | "dns64"
    | "hostnameType"
    | "resourceNameARecord"
    | "resourceNameAaaaRecord"
  >
>;

export function modifySubnet(ctx: Context, subnetId: string, change: SubnetAttributes): void {
  const subnet = findSubnet(ctx.state, subnetId);
  if (change.assignIpv6OnCreation === true && subnet.ipv6Cidrs.length === 0) {
    throw faults.invalid(
      `Invalid value 'true' for assignIpv6AddressOnCreation. Subnet ${subnetId} does not have an IPv6 CIDR block associated`,
    );
  }
  Object.assign(subnet, change);
  ctx.state.touch("subnet", subnetId);
}
