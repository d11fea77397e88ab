import { type Cidr6, formatCidr } from "../../../addr/cidr.ts";
import { spaceOf } from "../../model/address-taking.ts";
import { faults } from "../../model/fault.ts";
import type { CloudState, Context } from "../../model/state.ts";
import {
  associateSubnetIpv6,
  createSubnet,
  deleteSubnet,
  disassociateSubnetIpv6,
  modifySubnet,
  type Subnet,
} from "../../model/subnet.ts";
import type { CidrAssociation } from "../../model/vpc.ts";
import { action, type Call, done, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { chosen, cidr4Parameter, cidr6Parameter, given, tagSet, tagSpecification } from "../parameters.ts";

function ipv6Association(one: CidrAssociation<Cidr6>, state: string): XmlObject {
  return {
    associationId: one.associationId,
    ipv6CidrBlock: formatCidr(one.cidr),
    ipv6CidrBlockState: { state },
    ipv6AddressAttribute: "public",
    ipSource: "amazon",
  };
}

function arnOf({ account }: Context, subnet: Subnet): string {
  return `arn:aws:ec2:${account.region}:${account.accountId}:subnet/${subnet.subnetId}`;
}

function subnetXml(ctx: Context, subnet: Subnet): XmlObject {
  return {
    availabilityZoneId: subnet.zoneId,
    mapCustomerOwnedIpOnLaunch: false,
    ownerId: subnet.ownerId,
    assignIpv6AddressOnCreation: subnet.assignIpv6OnCreation,
    ipv6CidrBlockAssociationSet: subnet.ipv6Cidrs.map((one) => ipv6Association(one, "associated")),
    tagSet: tagSet(subnet.tags),
    subnetArn: arnOf(ctx, subnet),
    enableDns64: subnet.dns64,
    ipv6Native: false,
    privateDnsNameOptionsOnLaunch: {
      hostnameType: subnet.hostnameType,
      enableResourceNameDnsARecord: subnet.resourceNameARecord,
      enableResourceNameDnsAAAARecord: subnet.resourceNameAaaaRecord,
    },
    blockPublicAccessStates: { internetGatewayBlockMode: "off" },
    subnetId: subnet.subnetId,
    state: "available",
    vpcId: subnet.vpcId,
    cidrBlock: formatCidr(subnet.cidr),
    availableIpAddressCount: spaceOf(ctx.state, subnet.subnetId).freeCount,
    availabilityZone: subnet.zone,
    defaultForAz: false,
    mapPublicIpOnLaunch: subnet.mapPublicIpOnLaunch,
  };
}

function filtersOf(ctx: Context): FilterTable<Subnet> {
  const free = (state: CloudState, subnet: Subnet): number => spaceOf(state, subnet.subnetId).freeCount;
  const cidr = (subnet: Subnet): string => formatCidr(subnet.cidr);
  const zone = (subnet: Subnet): string => subnet.zone;
  return {
    "subnet-id": (subnet) => subnet.subnetId,
    "vpc-id": (subnet) => subnet.vpcId,
    "availability-zone": zone,
    availabilityZone: zone,
    "availability-zone-id": (subnet) => subnet.zoneId,
    "available-ip-address-count": (subnet) => free(ctx.state, subnet),
    cidr,
    "cidr-block": cidr,
    cidrBlock: cidr,
    "ipv6-cidr-block-association.ipv6-cidr-block": (subnet) =>
      subnet.ipv6Cidrs.map((one) => formatCidr(one.cidr)),
    "ipv6-cidr-block-association.association-id": (subnet) =>
      subnet.ipv6Cidrs.map((one) => one.associationId),
    "ipv6-cidr-block-association.state": (subnet) => (subnet.ipv6Cidrs.length > 0 ? "associated" : undefined),
    "default-for-az": () => false,
    "map-public-ip-on-launch": (subnet) => subnet.mapPublicIpOnLaunch,
    "owner-id": (subnet) => subnet.ownerId,
    "subnet-arn": (subnet) => arnOf(ctx, subnet),
    state: () => "available",
  };
}

function describeSubnets({ ctx, params }: Call): XmlObject {
  const ids = params.list("SubnetId");
  refusePagingOfIds(params, "subnetIds", ids);
  const all = chosen(ctx.state.subnets, ids, (id) => {
    throw faults.notFound("InvalidSubnetID.NotFound", "subnet ID", id);
  });
  const page = pageOf(params, all.filter(readFilters(params, filtersOf(ctx))), (subnet) => subnet.subnetId);
  return { subnetSet: page.items.map((subnet) => subnetXml(ctx, subnet)), nextToken: page.nextToken };
}

function create({ ctx, params }: Call): XmlObject {
  const ipv6 = params.text("Ipv6CidrBlock");
  const subnet = createSubnet(ctx, {
    vpcId: params.required("VpcId"),
    cidr: cidr4Parameter(params.required("CidrBlock"), "cidrBlock"),
    tags: tagSpecification(params, "subnet"),
    ...given({
      ipv6Cidr: ipv6 === undefined ? undefined : cidr6Parameter(ipv6, "ipv6CidrBlock"),
      zone: params.text("AvailabilityZone") ?? params.text("AvailabilityZoneId"),
    }),
  });
  return { subnet: subnetXml(ctx, subnet) };
}

function associate({ ctx, params }: Call): XmlObject {
  const subnetId = params.required("SubnetId");
  const cidr = cidr6Parameter(params.required("Ipv6CidrBlock"), "ipv6CidrBlock");
  return {
    subnetId,
    ipv6CidrBlockAssociation: ipv6Association(associateSubnetIpv6(ctx, subnetId, cidr), "associating"),
  };
}

function disassociate({ ctx, params }: Call): XmlObject {
  const { subnetId, association } = disassociateSubnetIpv6(ctx, params.required("AssociationId"));
  return { subnetId, ipv6CidrBlockAssociation: ipv6Association(association, "disassociating") };
}

function modifySubnetAttribute({ ctx, params }: Call): XmlObject {
  const value = (name: string): boolean | undefined => params.struct(name)?.bool("Value");
  const change = given({
    mapPublicIpOnLaunch: value("MapPublicIpOnLaunch"),
    assignIpv6OnCreation: value("AssignIpv6AddressOnCreation"),
    dns64: value("EnableDns64"),
    hostnameType: params.word("PrivateDnsHostnameTypeOnLaunch", ["ip-name", "resource-name"]),
    resourceNameARecord: value("EnableResourceNameDnsARecordOnLaunch"),
    resourceNameAaaaRecord: value("EnableResourceNameDnsAAAARecordOnLaunch"),
  });
  const count = Object.keys(change).length;
  if (count === 0) throw faults.missing("attribute");
  if (count > 1) throw faults.combination("Only one attribute can be modified at a time.");
  modifySubnet(ctx, params.required("SubnetId"), change);
  return done;
}

export const subnetActions = [
  action("DescribeSubnets", ["SubnetId", ...listing], describeSubnets),
  action(
    "CreateSubnet",
    ["VpcId", "CidrBlock", "Ipv6CidrBlock", "AvailabilityZone", "AvailabilityZoneId", "TagSpecification"],
    create,
  ),
  action("DeleteSubnet", ["SubnetId"], ({ ctx, params }) => {
    deleteSubnet(ctx, params.required("SubnetId"));
    return done;
  }),
  action("AssociateSubnetCidrBlock", ["SubnetId", "Ipv6CidrBlock"], associate),
  action("DisassociateSubnetCidrBlock", ["AssociationId"], disassociate),
  action(
    "ModifySubnetAttribute",
    [
      "SubnetId",
      "MapPublicIpOnLaunch",
      "AssignIpv6AddressOnCreation",
      "EnableDns64",
      "PrivateDnsHostnameTypeOnLaunch",
      "EnableResourceNameDnsARecordOnLaunch",
      "EnableResourceNameDnsAAAARecordOnLaunch",
    ],
    modifySubnetAttribute,
  ),
];
