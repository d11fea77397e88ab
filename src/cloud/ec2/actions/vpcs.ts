import { type Cidr4, type Cidr6, formatCidr } from "../../../addr/cidr.ts";
import { Ec2Fault, faults } from "../../model/fault.ts";
import { findVpc } from "../../model/lookup.ts";
import {
  associateVpcCidr,
  associateVpcIpv6,
  type CidrAssociation,
  createVpc,
  deleteVpc,
  disassociateVpcCidr,
  modifyVpc,
  type Vpc,
} from "../../model/vpc.ts";
import { action, type Call, done, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { chosen, cidr4Parameter, given, tagSet, tagSpecification } from "../parameters.ts";

function ipv4Association(one: CidrAssociation<Cidr4>, state: string): XmlObject {
  return { associationId: one.associationId, cidrBlock: formatCidr(one.cidr), cidrBlockState: { state } };
}

function ipv6Association(one: CidrAssociation<Cidr6>, state: string, region: string): XmlObject {
  return {
    associationId: one.associationId,
    ipv6CidrBlock: formatCidr(one.cidr),
    ipv6CidrBlockState: { state },
    networkBorderGroup: region,
    ipv6Pool: "Amazon",
    ipv6AddressAttribute: "public",
    ipSource: "amazon",
  };
}

function vpcXml(vpc: Vpc, region: string): XmlObject {
  return {
    ownerId: vpc.ownerId,
    instanceTenancy: "default",
    ipv6CidrBlockAssociationSet:
      vpc.ipv6Cidrs.length === 0
        ? undefined
        : vpc.ipv6Cidrs.map((one) => ipv6Association(one, "associated", region)),
    cidrBlockAssociationSet: vpc.cidrs.map((one) => ipv4Association(one, "associated")),
    isDefault: vpc.isDefault,
    tagSet: tagSet(vpc.tags),
    blockPublicAccessStates: { internetGatewayBlockMode: "off" },
    vpcId: vpc.vpcId,
    state: "available",
    cidrBlock: vpc.cidrs[0] && formatCidr(vpc.cidrs[0].cidr),
    dhcpOptionsId: vpc.dhcpOptionsId,
  };
}

const filters: FilterTable<Vpc> = {
  "vpc-id": (vpc) => vpc.vpcId,
  cidr: (vpc) => vpc.cidrs.slice(0, 1).map((one) => formatCidr(one.cidr)),
  "cidr-block-association.cidr-block": (vpc) => vpc.cidrs.map((one) => formatCidr(one.cidr)),
  "cidr-block-association.association-id": (vpc) => vpc.cidrs.map((one) => one.associationId),
  "cidr-block-association.state": () => "associated",
  "ipv6-cidr-block-association.ipv6-cidr-block": (vpc) => vpc.ipv6Cidrs.map((one) => formatCidr(one.cidr)),
  "ipv6-cidr-block-association.association-id": (vpc) => vpc.ipv6Cidrs.map((one) => one.associationId),
  "ipv6-cidr-block-association.state": (vpc) => (vpc.ipv6Cidrs.length > 0 ? "associated" : undefined),
  "dhcp-options-id": (vpc) => vpc.dhcpOptionsId,
  "is-default": (vpc) => vpc.isDefault,
  "owner-id": (vpc) => vpc.ownerId,
  state: () => "available",
};

function describeVpcs({ ctx, params }: Call): XmlObject {
  const ids = params.list("VpcId");
  refusePagingOfIds(params, "vpcIds", ids);
  const all = chosen(ctx.state.vpcs, ids, (id) => {
    throw faults.notFound("InvalidVpcID.NotFound", "vpc ID", id);
  });
  const page = pageOf(params, all.filter(readFilters(params, filters)), (vpc) => vpc.vpcId);
  return { vpcSet: page.items.map((vpc) => vpcXml(vpc, ctx.account.region)), nextToken: page.nextToken };
}

function create({ ctx, params }: Call): XmlObject {
  const vpc = createVpc(ctx, {
    cidr: cidr4Parameter(params.required("CidrBlock"), "cidrBlock"),
    ipv6: params.bool("AmazonProvidedIpv6CidrBlock") ?? false,
    tags: tagSpecification(params, "vpc"),
  });
  return { vpc: { ...vpcXml(vpc, ctx.account.region), state: "pending" } };
}

function associate({ ctx, params }: Call): XmlObject {
  const vpcId = params.required("VpcId");
  const { region } = ctx.account;
  if (params.bool("AmazonProvidedIpv6CidrBlock") === true) {
    const ipv6CidrBlockAssociation = ipv6Association(associateVpcIpv6(ctx, vpcId), "associating", region);
    return { vpcId, ipv6CidrBlockAssociation };
  }
  const cidr = cidr4Parameter(params.required("CidrBlock"), "cidrBlock");
  return { vpcId, cidrBlockAssociation: ipv4Association(associateVpcCidr(ctx, vpcId, cidr), "associating") };
}

function disassociate({ ctx, params }: Call): XmlObject {
  const { vpc, association } = disassociateVpcCidr(ctx, params.required("AssociationId"));
  const { associationId, cidr } = association;
  return cidr.family === 4
    ? { vpcId: vpc.vpcId, cidrBlockAssociation: ipv4Association({ associationId, cidr }, "disassociating") }
    : {
        vpcId: vpc.vpcId,
        ipv6CidrBlockAssociation: ipv6Association(
          { associationId, cidr },
          "disassociating",
          ctx.account.region,
        ),
      };
}

function describeVpcAttribute({ ctx, params }: Call): XmlObject {
  const { vpcId, ...vpc } = findVpc(ctx.state, params.required("VpcId"));
  switch (params.required("Attribute")) {
    case "enableDnsSupport":
      return { vpcId, enableDnsSupport: { value: vpc.dnsSupport } };
    case "enableDnsHostnames":
      return { vpcId, enableDnsHostnames: { value: vpc.dnsHostnames } };
    case "enableNetworkAddressUsageMetrics":
      return { vpcId, enableNetworkAddressUsageMetrics: { value: vpc.networkAddressUsageMetrics } };
    default:
      throw faults.badValue(params.required("Attribute"), "attribute", "Unknown attribute.");
  }
}

function modifyVpcAttribute({ ctx, params }: Call): XmlObject {
  const change = given({
    dnsSupport: params.struct("EnableDnsSupport")?.bool("Value"),
    dnsHostnames: params.struct("EnableDnsHostnames")?.bool("Value"),
    networkAddressUsageMetrics: params.struct("EnableNetworkAddressUsageMetrics")?.bool("Value"),
  });
  const count = Object.keys(change).length;
  if (count === 0) throw faults.missing("attribute");
  if (count > 1) {
    throw new Ec2Fault("InvalidParameterCombination", "Only one attribute can be modified at a time.");
  }
  modifyVpc(ctx, params.required("VpcId"), change);
  return done;
}

export const vpcActions = [
  action("DescribeVpcs", ["VpcId", ...listing], describeVpcs),
  action(
    "CreateVpc",
    ["CidrBlock", "AmazonProvidedIpv6CidrBlock", "InstanceTenancy", "TagSpecification"],
    create,
  ),
  action("DeleteVpc", ["VpcId"], ({ ctx, params }) => {
    deleteVpc(ctx, params.required("VpcId"));
    return done;
  }),
  action("AssociateVpcCidrBlock", ["VpcId", "CidrBlock", "AmazonProvidedIpv6CidrBlock"], associate),
  action("DisassociateVpcCidrBlock", ["AssociationId"], disassociate),
  action("DescribeVpcAttribute", ["VpcId", "Attribute"], describeVpcAttribute),
  action(
    "ModifyVpcAttribute",
    ["VpcId", "EnableDnsSupport", "EnableDnsHostnames", "EnableNetworkAddressUsageMetrics"],
    modifyVpcAttribute,
  ),
];
