import type {
  NetworkInterface,
  Subnet as SdkSubnet,
  Tag as SdkTag,
  TagSpecification,
} from "@aws-sdk/client-ec2";
import type { ConnectionTracking, Eni, EniAttachment, EniStatus, EniType, Subnet, Tag } from "./shapes.ts";

/** The SDK's shapes as ours. Fields that EC2 always sends are taken as present; absent lists are empty. */

export function eniFromSdk(sdk: NetworkInterface): Eni {
  const attachment = attachmentFromSdk(sdk);
  const tracking = trackingFromSdk(sdk);
  const addresses = (sdk.PrivateIpAddresses ?? []).map((entry) => ({
    address: entry.PrivateIpAddress ?? "",
    primary: entry.Primary ?? false,
  }));
  return {
    networkInterfaceId: sdk.NetworkInterfaceId ?? "",
    interfaceType: (sdk.InterfaceType ?? "interface") as EniType,
    macAddress: sdk.MacAddress ?? "",
    subnetId: sdk.SubnetId ?? "",
    vpcId: sdk.VpcId ?? "",
    availabilityZone: sdk.AvailabilityZone ?? "",
    description: sdk.Description ?? "",
    status: (sdk.Status ?? "available") as EniStatus,
    sourceDestCheck: sdk.SourceDestCheck ?? true,
    privateIpAddresses: addresses.sort((a, b) => Number(b.primary) - Number(a.primary)),
    ipv4Prefixes: (sdk.Ipv4Prefixes ?? []).map((entry) => entry.Ipv4Prefix ?? ""),
    ipv6Addresses: (sdk.Ipv6Addresses ?? []).map((entry) => entry.Ipv6Address ?? ""),
    ipv6Prefixes: (sdk.Ipv6Prefixes ?? []).map((entry) => entry.Ipv6Prefix ?? ""),
    groups: (sdk.Groups ?? []).map((group) => group.GroupId ?? ""),
    tags: tagsFromSdk(sdk.TagSet),
    ...(attachment === undefined ? {} : { attachment }),
    ...(tracking === undefined ? {} : { connectionTracking: tracking }),
  };
}

function attachmentFromSdk(sdk: NetworkInterface): EniAttachment | undefined {
  const attachment = sdk.Attachment;
  if (attachment?.AttachmentId === undefined) return undefined;
  return {
    attachmentId: attachment.AttachmentId,
    deviceIndex: attachment.DeviceIndex ?? 0,
    networkCardIndex: attachment.NetworkCardIndex ?? 0,
    ...(attachment.InstanceId === undefined ? {} : { instanceId: attachment.InstanceId }),
    instanceOwnerId: attachment.InstanceOwnerId ?? "",
    status: attachment.Status ?? "attached",
    deleteOnTermination: attachment.DeleteOnTermination ?? false,
    attachTime: attachment.AttachTime?.toISOString() ?? "",
  };
}

function trackingFromSdk(sdk: NetworkInterface): ConnectionTracking | undefined {
  const tracking = sdk.ConnectionTrackingConfiguration;
  if (tracking === undefined) return undefined;
  const { TcpEstablishedTimeout: tcp, UdpStreamTimeout: stream, UdpTimeout: udp } = tracking;
  if (tcp === undefined && stream === undefined && udp === undefined) return undefined;
  return {
    ...(tcp === undefined ? {} : { tcpEstablishedTimeout: tcp }),
    ...(stream === undefined ? {} : { udpStreamTimeout: stream }),
    ...(udp === undefined ? {} : { udpTimeout: udp }),
  };
}

export function trackingToSdk(tracking: ConnectionTracking): {
  TcpEstablishedTimeout?: number;
  UdpStreamTimeout?: number;
  UdpTimeout?: number;
} {
  const { tcpEstablishedTimeout: tcp, udpStreamTimeout: stream, udpTimeout: udp } = tracking;
  return {
    ...(tcp === undefined ? {} : { TcpEstablishedTimeout: tcp }),
    ...(stream === undefined ? {} : { UdpStreamTimeout: stream }),
    ...(udp === undefined ? {} : { UdpTimeout: udp }),
  };
}

export function subnetFromSdk(sdk: SdkSubnet): Subnet {
  return {
    subnetId: sdk.SubnetId ?? "",
    vpcId: sdk.VpcId ?? "",
    availabilityZone: sdk.AvailabilityZone ?? "",
    cidrBlock: sdk.CidrBlock ?? "",
    ipv6CidrBlocks: (sdk.Ipv6CidrBlockAssociationSet ?? []).map((entry) => entry.Ipv6CidrBlock ?? ""),
    availableIpAddressCount: sdk.AvailableIpAddressCount ?? 0,
    tags: tagsFromSdk(sdk.Tags),
  };
}

function tagsFromSdk(tags: readonly SdkTag[] | undefined): Tag[] {
  return (tags ?? []).map((tag) => ({ key: tag.Key ?? "", value: tag.Value ?? "" }));
}

export function tagsToSdk(tags: readonly Tag[]): SdkTag[] {
  return tags.map((tag) => ({ Key: tag.key, Value: tag.value }));
}

export function eniTagSpecification(tags: readonly Tag[]): TagSpecification[] {
  return tags.length === 0 ? [] : [{ ResourceType: "network-interface", Tags: tagsToSdk(tags) }];
}
