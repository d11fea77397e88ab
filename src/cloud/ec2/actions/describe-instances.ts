import { formatIpv4 } from "../../../addr/ipv4.ts";
import { formatIpv6 } from "../../../addr/ipv6.ts";
import { attachmentsOf } from "../../model/attachment.ts";
import type { Instance, InstanceStateName } from "../../model/instance.ts";
import { findInstance } from "../../model/lookup.ts";
import type { NetworkInterface } from "../../model/network-interface.ts";
import type { Context } from "../../model/state.ts";
import { limitsOf } from "../../model/type-limits.ts";
import { action, type Call, listing, timestamp } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { type FilterTable, readFilters } from "../filter.ts";
import { pageOf, refusePagingOfIds } from "../page.ts";
import { tagSet } from "../parameters.ts";
import { groupSet, InterfaceView, privateDnsName, publicDnsName } from "../views/interface.ts";
import { architectureOf } from "./instance-types.ts";

const stateCodes: Readonly<Record<InstanceStateName, number>> = {
  pending: 0,
  running: 16,
  "shutting-down": 32,
  terminated: 48,
  stopping: 64,
  stopped: 80,
};

export function stateXml(name: InstanceStateName): XmlObject {
  return { code: stateCodes[name], name };
}

/** The interfaces of an instance, by card and device, the primary first. */
export function enisOf(ctx: Context, instance: Instance): NetworkInterface[] {
  const byAttachment = new Map(
    instance.eniIds.flatMap((eniId) => {
      const eni = ctx.state.enis.get(eniId);
      return eni?.attachment === undefined ? [] : [[eni.attachment, eni] as const];
    }),
  );
  return attachmentsOf(ctx.state, instance).flatMap((attachment) => byAttachment.get(attachment) ?? []);
}

export function instanceXml(ctx: Context, instance: Instance, view: InterfaceView): XmlObject {
  const { region } = ctx.account;
  const enis = enisOf(ctx, instance);
  const [primary] = enis;
  const address = primary?.addresses[0];
  const published =
    primary && view.publicOf(primary).find((one) => one.privateAddress === primary.addresses[0]);
  const { hypervisor, bareMetal } = limitsOf(instance.instanceType);
  const options = instance.metadataOptions;
  const running = instance.state !== "terminated" && instance.state !== "shutting-down";
  return {
    architecture: architectureOf(instance.instanceType),
    blockDeviceMapping: [],
    clientToken: instance.clientToken,
    ebsOptimized: false,
    enaSupport: true,
    hypervisor: bareMetal || hypervisor === "unknown" ? "xen" : hypervisor,
    iamInstanceProfile:
      instance.role === undefined
        ? undefined
        : {
            arn: `arn:aws:iam::${instance.ownerId}:instance-profile/${instance.role}`,
            id: "AIPAENIVERSEPROFILE00",
          },
    networkInterfaceSet: enis.map((eni) => view.describeOnInstance(eni)),
    rootDeviceName: "/dev/xvda",
    rootDeviceType: "ebs",
    groupSet: groupSet(ctx.state, primary?.groups ?? []),
    sourceDestCheck: primary?.sourceDestCheck,
    stateReason: instance.stateReason && { ...instance.stateReason },
    tagSet: tagSet(instance.tags),
    virtualizationType: "hvm",
    capacityReservationSpecification: { capacityReservationPreference: "open" },
    hibernationOptions: { configured: false },
    metadataOptions: { state: "applied", ...options },
    enclaveOptions: { enabled: false },
    platformDetails: "Linux/UNIX",
    usageOperation: "RunInstances",
    usageOperationUpdateTime: timestamp(instance.launchTime),
    privateDnsNameOptions: {
      hostnameType: "ip-name",
      enableResourceNameDnsARecord: false,
      enableResourceNameDnsAAAARecord: false,
    },
    ipv6Address: primary?.ipv6Addresses[0] === undefined ? undefined : formatIpv6(primary.ipv6Addresses[0]),
    maintenanceOptions: { autoRecovery: "default" },
    currentInstanceBootMode: "legacy-bios",
    operator: { managed: false },
    instanceId: instance.instanceId,
    imageId: instance.imageId,
    instanceState: stateXml(instance.state),
    privateDnsName: address === undefined ? "" : privateDnsName(region, address),
    dnsName: published === undefined ? "" : publicDnsName(region, published.address),
    reason: running ? "" : "User initiated",
    keyName: instance.keyName,
    amiLaunchIndex: instance.launchIndex,
    productCodes: [],
    instanceType: instance.instanceType,
    launchTime: timestamp(instance.launchTime),
    placement: {
      availabilityZone: instance.zone,
      availabilityZoneId: ctx.account.zones.find((zone) => zone.name === instance.zone)?.id,
      groupName: "",
      tenancy: "default",
    },
    monitoring: { state: "disabled" },
    subnetId: running ? instance.subnetId : undefined,
    vpcId: running ? instance.vpcId : undefined,
    privateIpAddress: address === undefined ? undefined : formatIpv4(address),
    ipAddress: published && formatIpv4(published.address),
  };
}

export function reservationXml(ctx: Context, instances: readonly Instance[], view: InterfaceView): XmlObject {
  return {
    reservationId: instances[0]?.reservationId,
    ownerId: instances[0]?.ownerId,
    groupSet: [],
    instancesSet: instances.map((instance) => instanceXml(ctx, instance, view)),
  };
}

function filtersOf(ctx: Context, view: InterfaceView): FilterTable<Instance> {
  const { account } = ctx;
  const primary = (instance: Instance): NetworkInterface | undefined => enisOf(ctx, instance)[0];
  const addresses = (instance: Instance): string[] =>
    enisOf(ctx, instance).flatMap((eni) => eni.addresses.map(formatIpv4));
  const groups = (instance: Instance): string[] => enisOf(ctx, instance).flatMap((eni) => eni.groups);
  return {
    "instance-id": (one) => one.instanceId,
    "instance-state-name": (one) => one.state,
    "instance-state-code": (one) => stateCodes[one.state],
    "instance-type": (one) => one.instanceType,
    "vpc-id": (one) => one.vpcId,
    "subnet-id": (one) => one.subnetId,
    "availability-zone": (one) => one.zone,
    "availability-zone-id": (one) => account.zones.find((zone) => zone.name === one.zone)?.id,
    "reservation-id": (one) => one.reservationId,
    "owner-id": (one) => one.ownerId,
    "image-id": (one) => one.imageId,
    "key-name": (one) => one.keyName,
    "client-token": (one) => one.clientToken,
    "launch-time": (one) => timestamp(one.launchTime),
    architecture: (one) => architectureOf(one.instanceType),
    "iam-instance-profile.arn": (one) =>
      one.role === undefined ? undefined : `arn:aws:iam::${one.ownerId}:instance-profile/${one.role}`,
    "private-ip-address": (one) => primary(one)?.addresses.slice(0, 1).map(formatIpv4),
    "private-dns-name": (one) =>
      primary(one)
        ?.addresses.slice(0, 1)
        .map((address) => privateDnsName(account.region, address)),
    "ip-address": (one) =>
      enisOf(ctx, one).flatMap((eni) => view.publicOf(eni).map((it) => formatIpv4(it.address))),
    "instance.group-id": groups,
    "group-id": groups,
    "network-interface.network-interface-id": (one) => one.eniIds,
    "network-interface.subnet-id": (one) => enisOf(ctx, one).map((eni) => eni.subnetId),
    "network-interface.vpc-id": (one) => enisOf(ctx, one).map((eni) => eni.vpcId),
    "network-interface.group-id": groups,
    "network-interface.addresses.private-ip-address": addresses,
    "network-interface.private-ip-address": addresses,
    "metadata-options.http-tokens": (one) => one.metadataOptions.httpTokens,
    "metadata-options.http-put-response-hop-limit": (one) => one.metadataOptions.httpPutResponseHopLimit,
  };
}

function describeInstances({ ctx, params }: Call): XmlObject {
  const ids = params.list("InstanceId");
  refusePagingOfIds(params, "instancesSet", ids);
  const view = new InterfaceView(ctx);
  const matches = readFilters(params, filtersOf(ctx, view));
  const all =
    ids === undefined
      ? [...ctx.state.instances.values()]
      : [...new Set(ids)].map((id) => findInstance(ctx.state, id));
  const page = pageOf(params, all.filter(matches), (instance) => instance.instanceId);
  const reservations = Map.groupBy(page.items, (instance) => instance.reservationId);
  return {
    reservationSet: [...reservations.values()].map((instances) => reservationXml(ctx, instances, view)),
    nextToken: page.nextToken,
  };
}

const statusFilters: FilterTable<Instance> = {
  "instance-state-name": (one) => one.state,
  "instance-state-code": (one) => stateCodes[one.state],
  "availability-zone": (one) => one.zone,
  "instance-status.status": (one) => statusOf(one),
  "system-status.status": (one) => statusOf(one),
};

function statusOf(instance: Instance): string {
  return instance.state === "running"
    ? "ok"
    : instance.state === "pending"
      ? "initializing"
      : "not-applicable";
}

function describeInstanceStatus({ ctx, params }: Call): XmlObject {
  const ids = params.list("InstanceId");
  refusePagingOfIds(params, "instancesSet", ids);
  const matches = readFilters(params, statusFilters);
  const all =
    ids === undefined
      ? [...ctx.state.instances.values()]
      : [...new Set(ids)].map((id) => findInstance(ctx.state, id));
  const shown = all.filter(
    (instance) =>
      (params.bool("IncludeAllInstances") === true || instance.state === "running") && matches(instance),
  );
  const page = pageOf(params, shown, (instance) => instance.instanceId);
  const summary = (instance: Instance): XmlObject => {
    const status = statusOf(instance);
    const details = [{ name: "reachability", status: status === "ok" ? "passed" : status }];
    return { status, details: status === "not-applicable" ? undefined : details };
  };
  return {
    instanceStatusSet: page.items.map((instance) => ({
      availabilityZone: instance.zone,
      instanceId: instance.instanceId,
      instanceState: stateXml(instance.state),
      instanceStatus: summary(instance),
      systemStatus: summary(instance),
    })),
    nextToken: page.nextToken,
  };
}

export const describeInstanceActions = [
  action("DescribeInstances", ["InstanceId", "IncludeManagedResources", ...listing], describeInstances),
  action(
    "DescribeInstanceStatus",
    ["InstanceId", "IncludeAllInstances", "IncludeManagedResources", ...listing],
    describeInstanceStatus,
  ),
];
