import { type Cidr4, type Cidr6, cidr6, cidrContains, formatCidr, parseCidr6 } from "../../addr/cidr.ts";
import { ipv6 } from "../../addr/ipv6.ts";
import { Ec2Fault, faults } from "./fault.ts";
import { newId } from "./ids.ts";
import { findVpc } from "./lookup.ts";
import { createMainRouteTable } from "./route-table.ts";
import { createDefaultGroup } from "./security-group.ts";
import type { CloudState, Context } from "./state.ts";
import { newTags, type Tags } from "./tags.ts";
import { checkSecondaryBlock, checkVpcBlock } from "./vpc-cidr-rules.ts";

/** A block of a VPC or subnet. */
export interface CidrAssociation<C> {
  readonly associationId: string;
  readonly cidr: C;
}

export interface Vpc {
  readonly vpcId: string;
  readonly ownerId: string;
  /** The primary block first. */
  readonly cidrs: CidrAssociation<Cidr4>[];
  readonly ipv6Cidrs: CidrAssociation<Cidr6>[];
  readonly isDefault: boolean;
  readonly dhcpOptionsId: string;
  dnsSupport: boolean;
  dnsHostnames: boolean;
  networkAddressUsageMetrics: boolean;
  mainRouteTableId: string;
  readonly defaultGroupId: string;
  readonly networkAclId: string;
  readonly tags: Tags;
}

export interface CreateVpcRequest {
  readonly cidr: Cidr4;
  /** True asks for a /56 of Amazon's. */
  readonly ipv6?: boolean;
  readonly tags?: Iterable<readonly [string, string]>;
}

/** Amazon gives a VPC a /56 and no other size. */
const vpcIpv6Bits = 56;

/** Creates a VPC with its main route table, default security group and default network ACL. */
export function createVpc(ctx: Context, request: CreateVpcRequest): Vpc {
  const { state, random, account } = ctx;
  checkVpcBlock(request.cidr);
  if (state.vpcs.size >= ctx.settings.limits.vpcs) {
    throw new Ec2Fault("VpcLimitExceeded", "The maximum number of VPCs has been reached.");
  }
  const tags = newTags(request.tags);
  const vpcId = newId("vpc", random);
  const ipv6Cidrs = request.ipv6 === true ? [newIpv6Block(ctx)] : [];
  const networkAclId = newId("acl", random);
  const vpc: Vpc = {
    vpcId,
    ownerId: account.accountId,
    cidrs: [{ associationId: newId("vpc-cidr-assoc", random), cidr: request.cidr }],
    ipv6Cidrs,
    isDefault: false,
    dhcpOptionsId: dhcpOptionsIdOf(state, ctx),
    dnsSupport: true,
    dnsHostnames: false,
    networkAddressUsageMetrics: false,
    mainRouteTableId: createMainRouteTable(ctx, vpcId).routeTableId,
    defaultGroupId: createDefaultGroup(ctx, vpcId).groupId,
    networkAclId,
    tags,
  };
  state.put("network-acl", networkAclId, {
    aclId: networkAclId,
    ownerId: account.accountId,
    vpcId,
    tags: newTags(),
  });
  state.put("vpc", vpcId, vpc);
  return vpc;
}

/** All VPCs of a region start with the same set of DHCP options. */
function dhcpOptionsIdOf(state: CloudState, ctx: Context): string {
  for (const vpc of state.vpcs.values()) return vpc.dhcpOptionsId;
  return newId("dopt", ctx.random);
}

/** Throws DependencyViolation while anything but its own default parts is in the VPC. */
export function deleteVpc(ctx: Context, vpcId: string): void {
  const { state } = ctx;
  const vpc = findVpc(state, vpcId);
  const inVpc = (resource: { readonly vpcId: string | undefined }): boolean => resource.vpcId === vpcId;
  const used =
    state.subnets.values().some(inVpc) ||
    state.internetGateways.values().some(inVpc) ||
    state.egressOnlyGateways.values().some(inVpc) ||
    state.enis.values().some(inVpc) ||
    state.securityGroups.values().some((group) => inVpc(group) && group.groupId !== vpc.defaultGroupId) ||
    state.routeTables.values().some((table) => inVpc(table) && table.routeTableId !== vpc.mainRouteTableId);
  if (used) throw faults.dependency("vpc", vpcId);
  state.drop("route-table", vpc.mainRouteTableId);
  state.drop("security-group", vpc.defaultGroupId);
  state.drop("network-acl", vpc.networkAclId);
  state.drop("vpc", vpcId);
  state.owners.forget(vpcId);
}

/** Adds a secondary IPv4 block by the rules of the VPC user guide. */
export function associateVpcCidr(ctx: Context, vpcId: string, cidr: Cidr4): CidrAssociation<Cidr4> {
  const { state } = ctx;
  const vpc = findVpc(state, vpcId);
  if (vpc.cidrs.length >= ctx.settings.limits.cidrsPerVpc) throw cidrLimit(vpcId, ctx);
  const routes = state.routeTables
    .values()
    .filter((table) => table.vpcId === vpcId)
    .flatMap((table) => table.routes);
  checkSecondaryBlock(
    cidr,
    vpc.cidrs.map((association) => association.cidr),
    routes,
  );
  const association = { associationId: newId("vpc-cidr-assoc", ctx.random), cidr };
  vpc.cidrs.push(association);
  state.touch("vpc", vpcId);
  return association;
}

/** Gives the VPC a /56 of Amazon's pool. */
export function associateVpcIpv6(ctx: Context, vpcId: string): CidrAssociation<Cidr6> {
  const vpc = findVpc(ctx.state, vpcId);
  if (vpc.ipv6Cidrs.length >= ctx.settings.limits.cidrsPerVpc) throw cidrLimit(vpcId, ctx);
  const association = newIpv6Block(ctx);
  vpc.ipv6Cidrs.push(association);
  ctx.state.touch("vpc", vpcId);
  return association;
}

function cidrLimit(vpcId: string, ctx: Context): Ec2Fault {
  const limit = ctx.settings.limits.cidrsPerVpc;
  return new Ec2Fault(
    "CidrLimitExceeded",
    `This network '${vpcId}' has met its maximum number of allowed CIDRs: ${limit}`,
  );
}

function newIpv6Block(ctx: Context): CidrAssociation<Cidr6> {
  const pool = parseCidr6(ctx.account.ipv6Pool);
  const blocks = 2 ** (vpcIpv6Bits - pool.bits);
  const used = new Set(
    [...ctx.state.vpcs.values()].flatMap((vpc) => vpc.ipv6Cidrs.map((one) => one.cidr.base as bigint)),
  );
  // The pool holds far more blocks than an account may have VPCs, so a free one is found at once.
  for (;;) {
    const base = ipv6(pool.base + (BigInt(ctx.random.int(blocks)) << BigInt(128 - vpcIpv6Bits)));
    if (used.has(base)) continue;
    return { associationId: newId("vpc-cidr-assoc", ctx.random), cidr: cidr6(base, vpcIpv6Bits) };
  }
}

/** What a disassociation took away, with the VPC that had it. */
export interface Disassociated {
  readonly vpc: Vpc;
  readonly association: CidrAssociation<Cidr4 | Cidr6>;
}

/** Removes a block, which must be neither the primary one nor in use by a subnet. */
export function disassociateVpcCidr(ctx: Context, associationId: string): Disassociated {
  const { state } = ctx;
  for (const vpc of state.vpcs.values()) {
    const lists: CidrAssociation<Cidr4 | Cidr6>[][] = [vpc.cidrs, vpc.ipv6Cidrs];
    for (const list of lists) {
      const index = list.findIndex((one) => one.associationId === associationId);
      const association = list[index];
      if (association === undefined) continue;
      if (association === vpc.cidrs[0]) {
        throw faults.notPermitted(
          `The vpc CIDR block with association ID ${associationId} may not be disassociated. It is the primary IPv4 CIDR block of the VPC`,
        );
      }
      const used = state.subnets
        .values()
        .filter((subnet) => subnet.vpcId === vpc.vpcId)
        .flatMap((subnet) => [subnet.cidr, ...subnet.ipv6Cidrs.map((one) => one.cidr)])
        .some((cidr) => cidrContains(association.cidr, cidr));
      if (used) {
        throw new Ec2Fault(
          "DependencyViolation",
          `The vpc CIDR block '${formatCidr(association.cidr)}' has dependencies and cannot be disassociated.`,
        );
      }
      list.splice(index, 1);
      state.touch("vpc", vpc.vpcId);
      return { vpc, association };
    }
  }
  throw faults.notFound(
    "InvalidVpcCidrBlockAssociationID.NotFound",
    "vpc CIDR block with association ID",
    associationId,
  );
}

export interface VpcAttributes {
  readonly dnsSupport?: boolean;
  readonly dnsHostnames?: boolean;
  readonly networkAddressUsageMetrics?: boolean;
}

/** Changes one attribute, as ModifyVpcAttribute. */
export function modifyVpc(ctx: Context, vpcId: string, change: VpcAttributes): void {
  const vpc = findVpc(ctx.state, vpcId);
  if (change.dnsHostnames === true && !vpc.dnsSupport && change.dnsSupport !== true) {
    throw faults.combination("The vpc must have DNS support enabled before DNS hostnames can be enabled");
  }
  if (change.dnsSupport !== undefined) vpc.dnsSupport = change.dnsSupport;
  if (change.dnsHostnames !== undefined) vpc.dnsHostnames = change.dnsHostnames;
  if (change.networkAddressUsageMetrics !== undefined) {
    vpc.networkAddressUsageMetrics = change.networkAddressUsageMetrics;
  }
  ctx.state.touch("vpc", vpcId);
}
