import { formatIpv4 } from "../../../addr/ipv4.ts";
import { Ec2Fault, faults } from "../../model/fault.ts";
import {
  attachInternetGateway,
  createEgressOnlyGateway,
  createInternetGateway,
  deleteEgressOnlyGateway,
  deleteInternetGateway,
  detachInternetGateway,
  type EgressOnlyGateway,
  type InternetGateway,
} from "../../model/gateway.ts";
import { createNatGateway, deleteNatGateway, type NatGateway } from "../../model/nat-gateway.ts";
import { action, type Call, done, listing, timestamp } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { chosen, given, ipv4Parameter, tagSet, tagSpecification } from "../parameters.ts";

function internetGatewayXml(gateway: InternetGateway): XmlObject {
  return {
    attachmentSet: gateway.vpcId === undefined ? [] : [{ state: "available", vpcId: gateway.vpcId }],
    internetGatewayId: gateway.gatewayId,
    ownerId: gateway.ownerId,
    tagSet: tagSet(gateway.tags),
  };
}

const internetFilters: FilterTable<InternetGateway> = {
  "internet-gateway-id": (gateway) => gateway.gatewayId,
  "attachment.vpc-id": (gateway) => gateway.vpcId,
  "attachment.state": (gateway) => (gateway.vpcId === undefined ? undefined : "available"),
  "owner-id": (gateway) => gateway.ownerId,
};

function describeInternetGateways({ ctx, params }: Call): XmlObject {
  const ids = params.list("InternetGatewayId");
  refusePagingOfIds(params, "internetGatewayIds", ids);
  const all = chosen(ctx.state.internetGateways, ids, (id) => {
    throw faults.notFound("InvalidInternetGatewayID.NotFound", "internetGateway ID", id);
  });
  const page = pageOf(params, all.filter(readFilters(params, internetFilters)), (one) => one.gatewayId);
  return { internetGatewaySet: page.items.map(internetGatewayXml), nextToken: page.nextToken };
}

function egressOnlyXml(gateway: EgressOnlyGateway): XmlObject {
  return {
    attachmentSet: [{ state: "attached", vpcId: gateway.vpcId }],
    egressOnlyInternetGatewayId: gateway.gatewayId,
    tagSet: tagSet(gateway.tags),
  };
}

function describeEgressOnlyGateways({ ctx, params }: Call): XmlObject {
  const ids = params.list("EgressOnlyInternetGatewayId");
  const all = chosen(ctx.state.egressOnlyGateways, ids, (id) => {
    throw faults.notFound("InvalidGatewayID.NotFound", "egress only internet gateway ID", id);
  });
  const page = pageOf(params, all.filter(readFilters<EgressOnlyGateway>(params, {})), (one) => one.gatewayId);
  return { egressOnlyInternetGatewaySet: page.items.map(egressOnlyXml), nextToken: page.nextToken };
}

function natGatewayXml(gateway: NatGateway): XmlObject {
  return {
    createTime: timestamp(gateway.createdAt),
    deleteTime: gateway.deletedAt === undefined ? undefined : timestamp(gateway.deletedAt),
    natGatewayAddressSet: [
      {
        allocationId: gateway.allocationId,
        networkInterfaceId: gateway.eniId,
        privateIp: formatIpv4(gateway.privateAddress),
        publicIp: gateway.publicAddress === undefined ? undefined : formatIpv4(gateway.publicAddress),
        associationId: gateway.associationId,
        isPrimary: true,
        status: gateway.state === "pending" ? "associating" : "succeeded",
      },
    ],
    natGatewayId: gateway.natGatewayId,
    state: gateway.state,
    subnetId: gateway.subnetId,
    vpcId: gateway.vpcId,
    tagSet: tagSet(gateway.tags),
    connectivityType: gateway.connectivity,
  };
}

const natFilters: FilterTable<NatGateway> = {
  "nat-gateway-id": (gateway) => gateway.natGatewayId,
  "vpc-id": (gateway) => gateway.vpcId,
  "subnet-id": (gateway) => gateway.subnetId,
  state: (gateway) => gateway.state,
};

function describeNatGateways({ ctx, params }: Call): XmlObject {
  const ids = params.list("NatGatewayId");
  const all = chosen(ctx.state.natGateways, ids, (id) => {
    throw new Ec2Fault("NatGatewayNotFound", `NatGateway ${id} was not found`);
  });
  const page = pageOf(params, all.filter(readFilters(params, natFilters)), (one) => one.natGatewayId);
  return { natGatewaySet: page.items.map(natGatewayXml), nextToken: page.nextToken };
}

function createNat({ ctx, params }: Call): XmlObject {
  const address = params.text("PrivateIpAddress");
  const gateway = createNatGateway(ctx, {
    subnetId: params.required("SubnetId"),
    tags: tagSpecification(params, "natgateway"),
    ...given({
      connectivity: params.word("ConnectivityType", ["public", "private"]),
      allocationId: params.text("AllocationId"),
      privateAddress: address === undefined ? undefined : ipv4Parameter(address, "privateIpAddress"),
    }),
  });
  return { clientToken: params.text("ClientToken"), natGateway: natGatewayXml(gateway) };
}

export const gatewayActions = [
  action("DescribeInternetGateways", ["InternetGatewayId", ...listing], describeInternetGateways),
  action("CreateInternetGateway", ["TagSpecification"], ({ ctx, params }) => ({
    internetGateway: internetGatewayXml(
      createInternetGateway(ctx, tagSpecification(params, "internet-gateway")),
    ),
  })),
  action("AttachInternetGateway", ["InternetGatewayId", "VpcId"], ({ ctx, params }) => {
    attachInternetGateway(ctx, params.required("InternetGatewayId"), params.required("VpcId"));
    return done;
  }),
  action("DetachInternetGateway", ["InternetGatewayId", "VpcId"], ({ ctx, params }) => {
    detachInternetGateway(ctx, params.required("InternetGatewayId"), params.required("VpcId"));
    return done;
  }),
  action("DeleteInternetGateway", ["InternetGatewayId"], ({ ctx, params }) => {
    deleteInternetGateway(ctx, params.required("InternetGatewayId"));
    return done;
  }),
  action(
    "DescribeEgressOnlyInternetGateways",
    ["EgressOnlyInternetGatewayId", ...listing],
    describeEgressOnlyGateways,
  ),
  action(
    "CreateEgressOnlyInternetGateway",
    ["VpcId", "TagSpecification", "ClientToken"],
    ({ ctx, params }) => ({
      egressOnlyInternetGateway: egressOnlyXml(
        createEgressOnlyGateway(
          ctx,
          params.required("VpcId"),
          tagSpecification(params, "egress-only-internet-gateway"),
        ),
      ),
    }),
  ),
  action("DeleteEgressOnlyInternetGateway", ["EgressOnlyInternetGatewayId"], ({ ctx, params }) => {
    deleteEgressOnlyGateway(ctx, params.required("EgressOnlyInternetGatewayId"));
    return { returnCode: true };
  }),
  action("DescribeNatGateways", ["NatGatewayId", ...listing], describeNatGateways),
  action(
    "CreateNatGateway",
    ["SubnetId", "AllocationId", "ConnectivityType", "PrivateIpAddress", "TagSpecification", "ClientToken"],
    createNat,
  ),
  action("DeleteNatGateway", ["NatGatewayId"], ({ ctx, params }) => {
    const natGatewayId = params.required("NatGatewayId");
    deleteNatGateway(ctx, natGatewayId);
    return { natGatewayId };
  }),
];
