import { formatCidr } from "../../addr/cidr.ts";
import { formatIpv4 } from "../../addr/ipv4.ts";
import { formatIpv6 } from "../../addr/ipv6.ts";
import { privateDnsName, publicDnsName } from "../ec2/views/interface.ts";
import { block28, block80 } from "../model/address-taking.ts";
import type { Instance } from "../model/instance.ts";
import { publicAssociations } from "../model/public-addresses.ts";
import type { Context } from "../model/state.ts";
import { limitsOf } from "../model/type-limits.ts";
import type { SeenInterface } from "./history.ts";
import type { MetadataDirectory } from "./tree.ts";

/** What the metadata service knows of an instance at a moment. */
export interface Metadata {
  readonly ctx: Context;
  readonly instance: Instance;
  /** The primary interface first; `ready` is false for one whose leaves are not there yet. */
  readonly interfaces: readonly { readonly seen: SeenInterface; readonly ready: boolean }[];
  /** JSON of the role's temporary credentials. */
  readonly credentials: () => string;
}

/** The tree under /latest/meta-data/. */
export function metadataDirectory(metadata: Metadata): MetadataDirectory {
  const { ctx, instance, interfaces } = metadata;
  const { account } = ctx;
  const primary = interfaces[0]?.seen;
  const address = primary?.addresses[0];
  const hostname = address === undefined ? undefined : privateDnsName(account.region, address);
  const published = publicAssociations(ctx.state)
    .get(primary?.eniId ?? "")
    ?.find(({ privateAddress }) => privateAddress === primary?.addresses[0]);
  const role = instance.role;
  return {
    "ami-id": instance.imageId,
    "ami-launch-index": String(instance.launchIndex),
    "ami-manifest-path": "(unknown)",
    "block-device-mapping": { ami: "/dev/xvda", root: "/dev/xvda" },
    hostname,
    iam: role === undefined ? undefined : iamDirectory(metadata, role),
    "instance-action": "none",
    "instance-id": instance.instanceId,
    "instance-life-cycle": "on-demand",
    "instance-type": instance.instanceType,
    ipv6: primary?.ipv6Addresses[0] === undefined ? undefined : formatIpv6(primary.ipv6Addresses[0]),
    "local-hostname": hostname,
    "local-ipv4": address === undefined ? undefined : formatIpv4(address),
    mac: primary?.mac,
    network: { interfaces: { macs: () => macsDirectory(metadata) } },
    placement: {
      "availability-zone": instance.zone,
      "availability-zone-id": account.zones.find((zone) => zone.name === instance.zone)?.id,
      region: account.region,
    },
    profile: "default-hvm",
    "public-hostname": published && publicDnsName(account.region, published.address),
    "public-ipv4": published && formatIpv4(published.address),
    "reservation-id": instance.reservationId,
    "security-groups": primary && groupNames(ctx, primary.groups),
    services: { domain: "amazonaws.com", partition: "aws" },
    system: limitsOf(instance.instanceType).hypervisor === "xen" ? "xen" : "nitro",
    tags:
      instance.metadataOptions.instanceMetadataTags === "enabled"
        ? { instance: Object.fromEntries(instance.tags) }
        : undefined,
  };
}

function iamDirectory({ ctx, instance, credentials }: Metadata, role: string): MetadataDirectory {
  const info = {
    Code: "Success",
    LastUpdated: isoSeconds(instance.launchTime),
    InstanceProfileArn: `arn:aws:iam::${ctx.account.accountId}:instance-profile/${role}`,
    InstanceProfileId: "AIPAENIVERSEPROFILE00",
  };
  return { info: pretty(info), "security-credentials": { [role]: credentials } };
}

function macsDirectory({ ctx, instance, interfaces }: Metadata): MetadataDirectory {
  const published = publicAssociations(ctx.state);
  return Object.fromEntries(
    interfaces.map(({ seen, ready }) => {
      const directory = interfaceDirectory(ctx, instance, seen, published.get(seen.eniId) ?? []);
      // Until the leaves are there, the directory lists them and each read of one says 404.
      return [seen.mac, ready ? directory : namesOnly(directory)];
    }),
  );
}

type Published = NonNullable<ReturnType<ReturnType<typeof publicAssociations>["get"]>>;

function interfaceDirectory(
  ctx: Context,
  instance: Instance,
  seen: SeenInterface,
  published: Published,
): MetadataDirectory {
  const { state, account } = ctx;
  const subnet = state.subnets.get(seen.subnetId);
  const vpc = state.vpcs.get(seen.vpcId);
  const [primary] = seen.addresses;
  const vpcIpv4 = vpc?.cidrs.map((one) => formatCidr(one.cidr)) ?? [];
  const publicTexts = published.map((one) => formatIpv4(one.address));
  return {
    "device-number": String(seen.attachment.deviceIndex),
    "interface-id": seen.eniId,
    "ipv4-associations":
      published.length === 0
        ? undefined
        : Object.fromEntries(
            published.map((one) => [formatIpv4(one.address), formatIpv4(one.privateAddress)]),
          ),
    "ipv4-prefix": lines(seen.prefixes.map((base) => formatCidr(block28(base)))),
    "ipv6-prefix": lines(seen.ipv6Prefixes.map((base) => formatCidr(block80(base)))),
    ipv6s: lines(seen.ipv6Addresses.map(formatIpv6)),
    "local-hostname": primary === undefined ? undefined : privateDnsName(account.region, primary),
    "local-ipv4s": lines(seen.addresses.map(formatIpv4)),
    mac: seen.mac,
    // Only types with several cards have this leaf.
    "network-card":
      limitsOf(instance.instanceType).cards.length > 1 ? String(seen.attachment.networkCardIndex) : undefined,
    "owner-id": seen.ownerId,
    "public-hostname": published[0] && publicDnsName(account.region, published[0].address),
    "public-ipv4s": lines(publicTexts),
    "security-group-ids": lines(seen.groups),
    "security-groups": lines([groupNames(ctx, seen.groups)]),
    "subnet-id": seen.subnetId,
    "subnet-ipv4-cidr-block": subnet && formatCidr(subnet.cidr),
    "subnet-ipv6-cidr-blocks": lines(subnet?.ipv6Cidrs.map((one) => formatCidr(one.cidr)) ?? []),
    "vpc-id": seen.vpcId,
    "vpc-ipv4-cidr-block": vpcIpv4[0],
    "vpc-ipv4-cidr-blocks": lines(vpcIpv4),
    "vpc-ipv6-cidr-blocks": lines(vpc?.ipv6Cidrs.map((one) => formatCidr(one.cidr)) ?? []),
  };
}

/** One entry a line; nothing at all (404) for an empty list. */
function lines(entries: readonly string[]): string | undefined {
  return entries.length === 0 ? undefined : entries.join("\n");
}

function groupNames({ state }: Context, groupIds: readonly string[]): string {
  return groupIds.map((groupId) => state.securityGroups.get(groupId)?.groupName ?? groupId).join("\n");
}

/** Marks leaves that are listed and not there: see {@link isPending}. */
const pending = "\u0000pending";

function namesOnly(directory: MetadataDirectory): MetadataDirectory {
  const names = Object.entries(directory).filter(([, node]) => node !== undefined);
  return Object.fromEntries(names.map(([name]) => [name, pending]));
}

/** True for the text of a leaf that its directory already lists but that is answered with 404. */
export function isPending(text: string): boolean {
  return text === pending;
}

/** The instance identity document. */
export function identityDocument({ ctx, instance, interfaces }: Metadata, architecture: string): string {
  const address = interfaces[0]?.seen.addresses[0];
  return pretty({
    accountId: ctx.account.accountId,
    architecture,
    availabilityZone: instance.zone,
    billingProducts: null,
    devpayProductCodes: null,
    marketplaceProductCodes: null,
    imageId: instance.imageId,
    instanceId: instance.instanceId,
    instanceType: instance.instanceType,
    kernelId: null,
    pendingTime: isoSeconds(instance.launchTime),
    privateIp: address === undefined ? null : formatIpv4(address),
    ramdiskId: null,
    region: ctx.account.region,
    version: "2017-09-30",
  });
}

/** RFC 3339 without fractions, as the metadata service writes it. */
export function isoSeconds(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}

export function pretty(value: object): string {
  return JSON.stringify(value, null, 2);
}
