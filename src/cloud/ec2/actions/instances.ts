import { Buffer } from "node:buffer";
import { faults } from "../../model/fault.ts";
import {
  type MetadataOptions,
  modifyMetadataOptions,
  type StateChange,
  startInstances,
  stopInstances,
  terminateInstances,
} from "../../model/instance.ts";
import { type LaunchInterface, type RunInstancesRequest, runInstances } from "../../model/instance-launch.ts";
import { action, type Call } from "../action.ts";
import type { Params } from "../decode-query.ts";
import type { XmlObject } from "../encode-xml.ts";
import { given, ipv4Parameter, readTags } from "../parameters.ts";
import { InterfaceView } from "../views/interface.ts";
import { reservationXml, stateXml } from "./describe-instances.ts";
import { addressesOf } from "./interfaces.ts";

function metadataOptions(params: Params): Partial<MetadataOptions> {
  const httpPutResponseHopLimit = params.int("HttpPutResponseHopLimit");
  if (
    httpPutResponseHopLimit !== undefined &&
    !(httpPutResponseHopLimit >= 1 && httpPutResponseHopLimit <= 64)
  ) {
    throw faults.badValue(httpPutResponseHopLimit, "HttpPutResponseHopLimit", "Valid values are 1 to 64.");
  }
  return given({
    httpTokens: params.word("HttpTokens", ["optional", "required"]),
    httpPutResponseHopLimit,
    httpEndpoint: params.word("HttpEndpoint", ["enabled", "disabled"]),
    httpProtocolIpv6: params.word("HttpProtocolIpv6", ["enabled", "disabled"]),
    instanceMetadataTags: params.word("InstanceMetadataTags", ["enabled", "disabled"]),
  });
}

function launchInterfaceOf(params: Params): LaunchInterface {
  const deviceIndex = params.int("DeviceIndex");
  if (deviceIndex === undefined) throw faults.missing("NetworkInterface.DeviceIndex");
  return {
    deviceIndex,
    ...addressesOf(params, { ipv4List: "PrivateIpAddresses" }),
    ...given({
      networkCardIndex: params.int("NetworkCardIndex"),
      eniId: params.text("NetworkInterfaceId"),
      subnetId: params.text("SubnetId"),
      description: params.text("Description"),
      groups: params.list("SecurityGroupId"),
      deleteOnTermination: params.bool("DeleteOnTermination"),
      associatePublicIp: params.bool("AssociatePublicIpAddress"),
      interfaceType: params.word("InterfaceType", ["interface", "efa", "efa-only"]),
    }),
  };
}

/** A launch that names addresses of its one interface is a launch with that interface described. */
function launchInterfaces(params: Params): LaunchInterface[] {
  const described = params.structs("NetworkInterface").map(launchInterfaceOf);
  if (described.length > 0) return described;
  const address = params.text("PrivateIpAddress");
  const ipv6AddressCount = params.int("Ipv6AddressCount");
  if (address === undefined && ipv6AddressCount === undefined) return [];
  return [
    {
      deviceIndex: 0,
      subnetId: params.required("SubnetId"),
      ...given({
        groups: params.list("SecurityGroupId"),
        primaryAddress: address === undefined ? undefined : ipv4Parameter(address, "privateIpAddress"),
        ipv6AddressCount,
      }),
    },
  ];
}

function launchTags(params: Params, resourceType: string): Record<string, string> {
  const tags = params
    .structs("TagSpecification")
    .filter((specification) => specification.required("ResourceType") === resourceType)
    .flatMap(readTags);
  return Object.fromEntries(tags);
}

const launchTagTypes = new Set(["instance", "network-interface", "volume", "spot-instances-request"]);

function run({ ctx, params, identity }: Call): XmlObject {
  const minCount = params.int("MinCount");
  const maxCount = params.int("MaxCount");
  if (minCount === undefined) throw faults.missing("MinCount");
  if (maxCount === undefined) throw faults.missing("MaxCount");
  for (const specification of params.structs("TagSpecification")) {
    const type = specification.required("ResourceType");
    if (!launchTagTypes.has(type)) {
      throw faults.invalid(`'${type}' is not a valid taggable resource type for this operation.`);
    }
  }
  const networkInterfaces = launchInterfaces(params);
  const profile = params.struct("IamInstanceProfile");
  const userData = params.text("UserData");
  const options = params.struct("MetadataOptions");
  const described = params.has("NetworkInterface");
  const request: RunInstancesRequest = {
    instanceType: params.text("InstanceType") ?? "m1.small",
    minCount,
    maxCount,
    tags: launchTags(params, "instance"),
    interfaceTags: launchTags(params, "network-interface"),
    ...(networkInterfaces.length > 0 ? { networkInterfaces } : {}),
    ...given({
      imageId: params.text("ImageId"),
      subnetId: networkInterfaces.length > 0 && !described ? undefined : params.text("SubnetId"),
      securityGroupIds:
        networkInterfaces.length > 0 && !described ? undefined : params.list("SecurityGroupId"),
      role: profile?.text("Name") ?? profile?.text("Arn")?.split("/").at(-1),
      userData: userData === undefined ? undefined : Buffer.from(userData, "base64").toString(),
      keyName: params.text("KeyName"),
      clientToken: params.text("ClientToken"),
      metadataOptions: options === undefined ? undefined : metadataOptions(options),
    }),
  };
  const launched = runInstances(ctx, request, identity.userId);
  return reservationXml(ctx, launched, new InterfaceView(ctx));
}

function changes(list: readonly StateChange[]): XmlObject {
  return {
    instancesSet: list.map((change) => ({
      instanceId: change.instanceId,
      currentState: stateXml(change.current),
      previousState: stateXml(change.previous),
    })),
  };
}

function ids(params: Params): readonly string[] {
  const list = params.list("InstanceId");
  if (list === undefined || list.length === 0) throw faults.missing("InstanceId");
  return list;
}

function modifyInstanceMetadataOptions({ ctx, params }: Call): XmlObject {
  const instanceId = params.required("InstanceId");
  const options = modifyMetadataOptions(ctx, instanceId, metadataOptions(params));
  return { instanceId, instanceMetadataOptions: { state: "pending", ...options } };
}

export const instanceActions = [
  action(
    "RunInstances",
    [
      "ImageId",
      "InstanceType",
      "MinCount",
      "MaxCount",
      "SubnetId",
      "SecurityGroupId",
      "PrivateIpAddress",
      "Ipv6AddressCount",
      "NetworkInterface",
      "IamInstanceProfile",
      "UserData",
      "KeyName",
      "ClientToken",
      "MetadataOptions",
      "TagSpecification",
      "BlockDeviceMapping",
      "Monitoring",
      "Placement",
      "EbsOptimized",
      "CreditSpecification",
      "DisableApiTermination",
      "DisableApiStop",
      "InstanceInitiatedShutdownBehavior",
      "PrivateDnsNameOptions",
      "MaintenanceOptions",
    ],
    run,
  ),
  action("TerminateInstances", ["InstanceId", "Force", "SkipOsShutdown"], ({ ctx, params }) =>
    changes(terminateInstances(ctx, ids(params))),
  ),
  action("StopInstances", ["InstanceId", "Force", "Hibernate", "SkipOsShutdown"], ({ ctx, params }) =>
    changes(stopInstances(ctx, ids(params))),
  ),
  action("StartInstances", ["InstanceId"], ({ ctx, params }) => changes(startInstances(ctx, ids(params)))),
  action(
    "ModifyInstanceMetadataOptions",
    [
      "InstanceId",
      "HttpTokens",
      "HttpPutResponseHopLimit",
      "HttpEndpoint",
      "HttpProtocolIpv6",
      "InstanceMetadataTags",
    ],
    modifyInstanceMetadataOptions,
  ),
];
