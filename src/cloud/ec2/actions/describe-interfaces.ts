import { formatCidr } from "../../../addr/cidr.ts";
import { formatIpv4 } from "../../../addr/ipv4.ts";
import { formatIpv6 } from "../../../addr/ipv6.ts";
import { block28, block80 } from "../../model/address-taking.ts";
import { faults } from "../../model/fault.ts";
import { findEni } from "../../model/lookup.ts";
import type { NetworkInterface } from "../../model/network-interface.ts";
import type { Context } from "../../model/state.ts";
import { action, type Call, listing, timestamp } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { groupSet, InterfaceView, privateDnsName } from "../views/interface.ts";

/** The interface, or NotFound while EC2 does not yet show it everywhere. */
export function visibleEni(ctx: Context, eniId: string): NetworkInterface {
  const eni = findEni(ctx.state, eniId);
  if (!isVisible(ctx, eni))
    throw faults.notFound("InvalidNetworkInterfaceID.NotFound", "networkInterface ID", eniId);
  return eni;
}

/** EC2 is eventually consistent: what was just created may be missing from an answer for a while. */
function isVisible(ctx: Context, eni: NetworkInterface): boolean {
  return ctx.now >= eni.createdAt + ctx.settings.consistencyLagMs;
}

function filtersOf(ctx: Context, view: InterfaceView): FilterTable<NetworkInterface> {
  const { state, account } = ctx;
  const zoneId = (name: string): string | undefined => account.zones.find((zone) => zone.name === name)?.id;
  const publicIps = (eni: NetworkInterface): string[] =>
    view.publicOf(eni).map((association) => formatIpv4(association.address));
  return {
    "network-interface-id": (eni) => eni.eniId,
    "vpc-id": (eni) => eni.vpcId,
    "subnet-id": (eni) => eni.subnetId,
    "availability-zone": (eni) => eni.zone,
    "availability-zone-id": (eni) => zoneId(eni.zone),
    "attachment.attachment-id": (eni) => eni.attachment?.attachmentId,
    "attachment.instance-id": (eni) => eni.attachment?.instanceId,
    "attachment.instance-owner-id": (eni) => eni.attachment?.instanceOwnerId,
    "attachment.device-index": (eni) => eni.attachment?.deviceIndex,
    "attachment.network-card-index": (eni) => eni.attachment?.networkCardIndex,
    "attachment.status": (eni) => eni.attachment?.status,
    "attachment.attach-time": (eni) => eni.attachment && timestamp(eni.attachment.attachTime),
    "attachment.delete-on-termination": (eni) => eni.attachment?.deleteOnTermination,
    "addresses.private-ip-address": (eni) => eni.addresses.map(formatIpv4),
    "addresses.primary": (eni) => eni.addresses.map((_, index) => String(index === 0)),
    "addresses.association.public-ip": publicIps,
    "association.public-ip": publicIps,
    "association.ip-owner-id": (eni) => view.publicOf(eni).map((one) => one.ownerId),
    "association.allocation-id": (eni) => view.publicOf(eni).flatMap((one) => one.allocationId ?? []),
    "association.association-id": (eni) => view.publicOf(eni).flatMap((one) => one.associationId ?? []),
    "private-ip-address": (eni) => eni.addresses.slice(0, 1).map(formatIpv4),
    "private-dns-name": (eni) => eni.addresses.slice(0, 1).map((one) => privateDnsName(account.region, one)),
    "ipv6-addresses.ipv6-address": (eni) => eni.ipv6Addresses.map(formatIpv6),
    "ipv4-prefix": (eni) => eni.prefixes.map((base) => formatCidr(block28(base))),
    "ipv6-prefix": (eni) => eni.ipv6Prefixes.map((base) => formatCidr(block80(base))),
    "group-id": (eni) => eni.groups,
    "group-name": (eni) => eni.groups.map((groupId) => state.securityGroups.get(groupId)?.groupName ?? ""),
    description: (eni) => eni.description,
    "interface-type": (eni) => eni.interfaceType,
    "mac-address": (eni) => eni.mac,
    "owner-id": (eni) => eni.ownerId,
    "requester-id": (eni) => eni.requesterId,
    "requester-managed": (eni) => eni.requesterManaged,
    "source-dest-check": (eni) => eni.sourceDestCheck,
    status: (eni) => eni.status,
  };
}

function describeNetworkInterfaces({ ctx, params }: Call): XmlObject {
  const ids = params.list("NetworkInterfaceId");
  refusePagingOfIds(params, "networkInterfaceIdSet", ids);
  const view = new InterfaceView(ctx);
  const matches = readFilters(params, filtersOf(ctx, view));
  const all =
    ids === undefined ? [...ctx.state.enis.values()] : [...new Set(ids)].map((id) => visibleEni(ctx, id));
  const found = all.filter((eni) => isVisible(ctx, eni) && matches(eni));
  const page = pageOf(params, found, (eni) => eni.eniId);
  return {
    networkInterfaceSet: page.items.map((eni) => view.describe(eni)),
    nextToken: page.nextToken,
  };
}

function describeNetworkInterfaceAttribute({ ctx, params }: Call): XmlObject {
  const eni = visibleEni(ctx, params.required("NetworkInterfaceId"));
  const attribute = params.word("Attribute", ["description", "groupSet", "sourceDestCheck", "attachment"]);
  const { attachment } = eni;
  const shown: Readonly<Record<string, XmlObject>> = {
    description: { description: { value: eni.description } },
    groupSet: { groupSet: groupSet(ctx.state, eni.groups) },
    sourceDestCheck: { sourceDestCheck: { value: eni.sourceDestCheck } },
    attachment:
      attachment === undefined ? {} : { attachment: new InterfaceView(ctx).describe(eni).attachment },
  };
  if (attribute === undefined) throw faults.missing("attribute");
  return { networkInterfaceId: eni.eniId, ...shown[attribute] };
}

export const describeInterfaceActions = [
  action(
    "DescribeNetworkInterfaces",
    ["NetworkInterfaceId", "IncludeManagedResources", ...listing],
    describeNetworkInterfaces,
  ),
  action(
    "DescribeNetworkInterfaceAttribute",
    ["NetworkInterfaceId", "Attribute"],
    describeNetworkInterfaceAttribute,
  ),
];
