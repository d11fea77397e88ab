import { formatIpv4 } from "../../../addr/ipv4.ts";
import {
  allocateElasticIp,
  associateElasticIp,
  disassociateElasticIp,
  type ElasticIp,
  releaseElasticIp,
} from "../../model/elastic-ip.ts";
import { faults } from "../../model/fault.ts";
import { findInstance } from "../../model/lookup.ts";
import type { Context } from "../../model/state.ts";
import { action, type Call, done } from "../action.ts";
import type { Params } from "../decode-query.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { chosen, given, ipv4Parameter, tagSet, tagSpecification } from "../parameters.ts";

function addressXml(ctx: Context, elastic: ElasticIp): XmlObject {
  const { association } = elastic;
  const eni = association && ctx.state.enis.get(association.eniId);
  return {
    allocationId: elastic.allocationId,
    associationId: association?.associationId,
    domain: "vpc",
    networkInterfaceId: association?.eniId,
    networkInterfaceOwnerId: eni?.ownerId,
    privateIpAddress: association && formatIpv4(association.privateAddress),
    tagSet: tagSet(elastic.tags),
    publicIpv4Pool: "amazon",
    networkBorderGroup: ctx.account.region,
    instanceId: eni?.attachment?.instanceId,
    publicIp: formatIpv4(elastic.address),
  };
}

function filtersOf(ctx: Context): FilterTable<ElasticIp> {
  return {
    "allocation-id": (one) => one.allocationId,
    "association-id": (one) => one.association?.associationId,
    domain: () => "vpc",
    "instance-id": (one) => ctx.state.enis.get(one.association?.eniId ?? "")?.attachment?.instanceId,
    "network-interface-id": (one) => one.association?.eniId,
    "network-border-group": () => ctx.account.region,
    "private-ip-address": (one) => one.association && formatIpv4(one.association.privateAddress),
    "public-ip": (one) => formatIpv4(one.address),
  };
}

function describeAddresses({ ctx, params }: Call): XmlObject {
  const all = chosen(ctx.state.elasticIps, params.list("AllocationId"), (id) => {
    throw faults.notFound("InvalidAllocationID.NotFound", "allocation ID", id);
  });
  const publicIps = params.list("PublicIp");
  const matches = readFilters(params, filtersOf(ctx));
  const found = all.filter(
    (one) => (publicIps === undefined || publicIps.includes(formatIpv4(one.address))) && matches(one),
  );
  return { addressesSet: found.map((one) => addressXml(ctx, one)) };
}

/** The allocation that a request names by id or by its address. */
function allocationOf(ctx: Context, params: Params): string {
  const allocationId = params.text("AllocationId");
  if (allocationId !== undefined) return allocationId;
  const publicIp = params.text("PublicIp");
  if (publicIp === undefined) throw faults.missing("AllocationId");
  const found = ctx.state.elasticIps.values().find((one) => formatIpv4(one.address) === publicIp);
  if (found === undefined) throw faults.notFound("InvalidAddress.NotFound", "address", publicIp);
  return found.allocationId;
}

function interfaceOf(ctx: Context, params: Params): string {
  const eniId = params.text("NetworkInterfaceId");
  if (eniId !== undefined) return eniId;
  const instance = findInstance(ctx.state, params.required("InstanceId"));
  const [primary] = instance.eniIds;
  if (instance.eniIds.length !== 1 || primary === undefined) {
    throw faults.invalid(
      `There are multiple interfaces attached to instance '${instance.instanceId}'. Please specify an interface ID for the operation instead.`,
    );
  }
  return primary;
}

function associate({ ctx, params }: Call): XmlObject {
  const address = params.text("PrivateIpAddress");
  const associationId = associateElasticIp(ctx, {
    allocationId: allocationOf(ctx, params),
    eniId: interfaceOf(ctx, params),
    allowReassociation: params.bool("AllowReassociation") ?? true,
    ...given({
      privateAddress: address === undefined ? undefined : ipv4Parameter(address, "privateIpAddress"),
    }),
  });
  return { return: true, associationId };
}

function disassociate({ ctx, params }: Call): XmlObject {
  const publicIp = params.text("PublicIp");
  const found = ctx.state.elasticIps.values().find((one) => formatIpv4(one.address) === publicIp);
  disassociateElasticIp(ctx, found?.association?.associationId ?? params.required("AssociationId"));
  return done;
}

export const addressActions = [
  action("DescribeAddresses", ["AllocationId", "PublicIp", "Filter"], describeAddresses),
  action(
    "AllocateAddress",
    ["Domain", "TagSpecification", "NetworkBorderGroup", "PublicIpv4Pool"],
    ({ ctx, params }) => {
      const elastic = allocateElasticIp(ctx, tagSpecification(params, "elastic-ip"));
      return {
        allocationId: elastic.allocationId,
        publicIpv4Pool: "amazon",
        networkBorderGroup: ctx.account.region,
        domain: "vpc",
        publicIp: formatIpv4(elastic.address),
      };
    },
  ),
  action(
    "AssociateAddress",
    [
      "AllocationId",
      "PublicIp",
      "InstanceId",
      "NetworkInterfaceId",
      "PrivateIpAddress",
      "AllowReassociation",
    ],
    associate,
  ),
  action("DisassociateAddress", ["AssociationId", "PublicIp"], disassociate),
  action("ReleaseAddress", ["AllocationId", "PublicIp", "NetworkBorderGroup"], ({ ctx, params }) => {
    releaseElasticIp(ctx, allocationOf(ctx, params));
    return done;
  }),
];
