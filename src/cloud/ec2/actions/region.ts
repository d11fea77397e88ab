import type { ZoneConfig } from "../../config.ts";
import { faults } from "../../model/fault.ts";
import type { NetworkAcl } from "../../model/network-acl.ts";
import type { Context } from "../../model/state.ts";
import { action, type Call, listing } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf } from "../page.ts";
import { chosen, tagSet } from "../parameters.ts";

type Untagged<R> = R & { readonly tags?: never };

function zoneXml({ account }: Context, zone: ZoneConfig): XmlObject {
  return {
    optInStatus: "opt-in-not-required",
    messageSet: [],
    regionName: account.region,
    zoneName: zone.name,
    zoneId: zone.id,
    groupName: `${account.region}-zg-1`,
    networkBorderGroup: account.region,
    zoneType: "availability-zone",
    zoneState: "available",
  };
}

function describeAvailabilityZones({ ctx, params }: Call): XmlObject {
  const { zones, region } = ctx.account;
  const names = params.list("ZoneName");
  const ids = params.list("ZoneId");
  for (const name of names ?? []) {
    if (!zones.some((zone) => zone.name === name)) {
      throw faults.invalid(`Invalid availability zone: [${name}]`);
    }
  }
  const matches = readFilters<Untagged<ZoneConfig>>(params, {
    "zone-name": (zone) => zone.name,
    "zone-id": (zone) => zone.id,
    "zone-type": () => "availability-zone",
    "region-name": () => region,
    "group-name": () => `${region}-zg-1`,
    "opt-in-status": () => "opt-in-not-required",
    state: () => "available",
  });
  const found = zones.filter(
    (zone) =>
      (names === undefined || names.includes(zone.name)) &&
      (ids === undefined || ids.includes(zone.id)) &&
      matches(zone),
  );
  return { availabilityZoneInfo: found.map((zone) => zoneXml(ctx, zone)) };
}

function describeRegions({ ctx, params }: Call): XmlObject {
  const { region } = ctx.account;
  const regions = [{ name: region, endpoint: `ec2.${region}.amazonaws.com` }];
  const names = params.list("RegionName");
  for (const name of names ?? []) {
    if (name !== region) throw faults.invalid(`Invalid region: [${name}]`);
  }
  const matches = readFilters<Untagged<(typeof regions)[number]>>(params, {
    "region-name": (one) => one.name,
    endpoint: (one) => one.endpoint,
    "opt-in-status": () => "opt-in-not-required",
  });
  return {
    regionInfo: regions.filter(matches).map((one) => ({
      optInStatus: "opt-in-not-required",
      regionName: one.name,
      regionEndpoint: one.endpoint,
    })),
  };
}

/** Entries of a default ACL: everything allowed, and the last rule that denies what nothing allowed. */
function aclEntries(ctx: Context, acl: NetworkAcl): XmlObject[] {
  const ipv6 = (ctx.state.vpcs.get(acl.vpcId)?.ipv6Cidrs.length ?? 0) > 0;
  const entry = (ruleNumber: number, ruleAction: string, block: XmlObject, egress: boolean): XmlObject => ({
    ...block,
    egress,
    protocol: "-1",
    ruleAction,
    ruleNumber,
  });
  const ipv4Block = { cidrBlock: "0.0.0.0/0" };
  const ipv6Block = { ipv6CidrBlock: "::/0" };
  return [true, false].flatMap((egress) => [
    entry(100, "allow", ipv4Block, egress),
    ...(ipv6 ? [entry(101, "allow", ipv6Block, egress)] : []),
    entry(32767, "deny", ipv4Block, egress),
    ...(ipv6 ? [entry(32768, "deny", ipv6Block, egress)] : []),
  ]);
}

function aclXml(ctx: Context, acl: NetworkAcl): XmlObject {
  const subnets = [...ctx.state.subnets.values()].filter((subnet) => subnet.vpcId === acl.vpcId);
  return {
    associationSet: subnets.map((subnet) => ({
      networkAclAssociationId: subnet.aclAssociationId,
      networkAclId: acl.aclId,
      subnetId: subnet.subnetId,
    })),
    entrySet: aclEntries(ctx, acl),
    default: true,
    networkAclId: acl.aclId,
    tagSet: tagSet(acl.tags),
    vpcId: acl.vpcId,
    ownerId: acl.ownerId,
  };
}

function aclFilters(ctx: Context): FilterTable<NetworkAcl> {
  return {
    "network-acl-id": (acl) => acl.aclId,
    "vpc-id": (acl) => acl.vpcId,
    "owner-id": (acl) => acl.ownerId,
    default: () => true,
    "association.subnet-id": (acl) =>
      [...ctx.state.subnets.values()]
        .filter((subnet) => subnet.vpcId === acl.vpcId)
        .map((subnet) => subnet.subnetId),
  };
}

function describeNetworkAcls({ ctx, params }: Call): XmlObject {
  const all = chosen(ctx.state.networkAcls, params.list("NetworkAclId"), (id) => {
    throw faults.notFound("InvalidNetworkAclID.NotFound", "networkAcl ID", id);
  });
  const page = pageOf(params, all.filter(readFilters(params, aclFilters(ctx))), (acl) => acl.aclId);
  return { networkAclSet: page.items.map((acl) => aclXml(ctx, acl)), nextToken: page.nextToken };
}

export const regionActions = [
  action(
    "DescribeAvailabilityZones",
    ["ZoneName", "ZoneId", "AllAvailabilityZones", "Filter"],
    describeAvailabilityZones,
  ),
  action("DescribeRegions", ["RegionName", "AllRegions", "Filter"], describeRegions),
  action("DescribeNetworkAcls", ["NetworkAclId", ...listing], describeNetworkAcls),
];
