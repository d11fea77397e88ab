import type { EniType } from "../../../aws/shapes.ts";
import { attachEni, detachEni } from "../../model/attachment.ts";
import { Ec2Fault, faults } from "../../model/fault.ts";
import {
  type CreateEniRequest,
  createEni,
  deleteEni,
  type EniChange,
  modifyEni,
} from "../../model/network-interface.ts";
import { action, type Call, done } from "../action.ts";
import type { Params } from "../decode-query.ts";
import type { XmlObject } from "../encode-xml.ts";
import {
  cidr4Parameter,
  cidr6Parameter,
  connectionTracking,
  given,
  ipv4Parameter,
  ipv6Parameter,
  tagSpecification,
} from "../parameters.ts";
import { InterfaceView } from "../views/interface.ts";
import { visibleEni } from "./describe-interfaces.ts";

/** What a request says about the addresses of a new interface, of CreateNetworkInterface and RunInstances alike. */
export function addressesOf(params: Params, names: { readonly ipv4List: string }): Partial<CreateEniRequest> {
  const single = params.text("PrivateIpAddress");
  const listed = params.structs(names.ipv4List).map((one) => ({
    address: ipv4Parameter(one.required("PrivateIpAddress"), "privateIpAddress"),
    primary: one.bool("Primary") === true,
  }));
  const primaries = listed.filter((one) => one.primary);
  if (primaries.length + (single === undefined ? 0 : 1) > 1) {
    throw faults.combination("Only one primary private IP address can be specified.");
  }
  const secondaries = listed.filter((one) => !one.primary).map((one) => one.address);
  const addressCount = params.int("SecondaryPrivateIpAddressCount");
  const prefixes = params
    .structs("Ipv4Prefix")
    .map((one) => cidr4Parameter(one.required("Ipv4Prefix"), "ipv4Prefix"));
  const prefixCount = params.int("Ipv4PrefixCount");
  onlyOne("IPv4", [
    secondaries.length > 0,
    addressCount !== undefined,
    prefixes.length > 0,
    prefixCount !== undefined,
  ]);
  const ipv6Addresses = params
    .structs("Ipv6Addresses")
    .map((one) => ipv6Parameter(one.required("Ipv6Address"), "ipv6Address"));
  const ipv6AddressCount = params.int("Ipv6AddressCount");
  const ipv6Prefixes = params
    .structs("Ipv6Prefix")
    .map((one) => cidr6Parameter(one.required("Ipv6Prefix"), "ipv6Prefix"));
  const ipv6PrefixCount = params.int("Ipv6PrefixCount");
  onlyOne("IPv6", [
    ipv6Addresses.length > 0,
    ipv6AddressCount !== undefined,
    ipv6Prefixes.length > 0,
    ipv6PrefixCount !== undefined,
  ]);
  for (const count of [addressCount, prefixCount, ipv6AddressCount, ipv6PrefixCount]) {
    if (count !== undefined && count < 0) throw faults.badValue(count, "addressCount");
  }
  const primaryAddress =
    single === undefined ? primaries[0]?.address : ipv4Parameter(single, "privateIpAddress");
  return given({
    primaryAddress,
    addresses: secondaries.length > 0 ? secondaries : undefined,
    addressCount,
    prefixes: prefixes.length > 0 ? prefixes : undefined,
    prefixCount,
    ipv6Addresses: ipv6Addresses.length > 0 ? ipv6Addresses : undefined,
    ipv6AddressCount,
    ipv6Prefixes: ipv6Prefixes.length > 0 ? ipv6Prefixes : undefined,
    ipv6PrefixCount,
  });
}

function onlyOne(family: string, said: readonly boolean[]): void {
  if (said.filter(Boolean).length > 1) {
    throw faults.combination(
      `Only one of ${family} addresses, address count, prefixes and prefix count may be specified.`,
    );
  }
}

const createdTypes = [
  "efa",
  "efa-only",
  "branch",
  "trunk",
  "interface",
] as const satisfies readonly EniType[];

function createNetworkInterface({ ctx, params, identity }: Call): XmlObject {
  const subnetId = params.required("SubnetId");
  const request = given({
    description: params.text("Description"),
    groups: params.list("SecurityGroupId"),
    interfaceType: params.word("InterfaceType", createdTypes),
    connectionTracking: connectionTracking(params),
  });
  const clientToken = params.text("ClientToken");
  const eni = createEni(ctx, {
    subnetId,
    ...request,
    ...addressesOf(params, { ipv4List: "PrivateIpAddresses" }),
    tags: tagSpecification(params, "network-interface"),
    requesterId: identity.userId,
  });
  // The documented state of an interface in this answer; a describe call shows "available".
  return { networkInterface: { ...new InterfaceView(ctx).describe(eni), status: "pending" }, clientToken };
}

function deleteNetworkInterface({ ctx, params }: Call): XmlObject {
  deleteEni(ctx, params.required("NetworkInterfaceId"));
  return done;
}

function attachNetworkInterface({ ctx, params }: Call): XmlObject {
  const eniId = params.required("NetworkInterfaceId");
  const deviceIndex = params.int("DeviceIndex");
  if (deviceIndex === undefined) throw faults.missing("deviceIndex");
  visibleEni(ctx, eniId);
  const { attachmentId, networkCardIndex } = attachEni(ctx, {
    eniId,
    instanceId: params.required("InstanceId"),
    deviceIndex,
    ...given({ networkCardIndex: params.int("NetworkCardIndex") }),
  });
  return { attachmentId, networkCardIndex };
}

function detachNetworkInterface({ ctx, params }: Call): XmlObject {
  detachEni(ctx, params.required("AttachmentId"));
  return done;
}

/** The attributes of ModifyNetworkInterfaceAttribute, of which a call changes one. */
const attributeNames = [
  "Description",
  "SourceDestCheck",
  "SecurityGroupId",
  "Attachment",
  "ConnectionTrackingSpecification",
  "EnablePrimaryIpv6",
  "EnaSrdSpecification",
  "AssociatePublicIpAddress",
  "AssociatedSubnetId",
];

function modifyNetworkInterfaceAttribute({ ctx, params }: Call): XmlObject {
  const eniId = params.required("NetworkInterfaceId");
  const said = attributeNames.filter((name) => params.has(name));
  if (said.length === 0) throw faults.missing("attribute");
  if (said.length > 1) {
    throw faults.combination(
      "Fields for multiple attribute types specified. Only one attribute can be modified at a time.",
    );
  }
  modifyEni(ctx, eniId, changeOf(params, said[0] ?? ""));
  return done;
}

function changeOf(params: Params, attribute: string): EniChange {
  switch (attribute) {
    case "Description":
      return { description: params.struct("Description")?.text("Value") ?? "" };
    case "SourceDestCheck": {
      const sourceDestCheck = params.struct("SourceDestCheck")?.bool("Value");
      if (sourceDestCheck === undefined) throw faults.missing("SourceDestCheck.Value");
      return { sourceDestCheck };
    }
    case "SecurityGroupId":
      return { groups: params.list("SecurityGroupId") ?? [] };
    case "Attachment": {
      const attachment = params.struct("Attachment");
      const value = attachment?.bool("DeleteOnTermination");
      if (attachment === undefined || value === undefined)
        throw faults.missing("Attachment.DeleteOnTermination");
      return { deleteOnTermination: { attachmentId: attachment.required("AttachmentId"), value } };
    }
    case "ConnectionTrackingSpecification":
      return { connectionTracking: connectionTracking(params) ?? {} };
    default:
      throw new Ec2Fault("UnsupportedOperation", `This cloud does not change the attribute ${attribute}.`);
  }
}

function resetNetworkInterfaceAttribute({ ctx, params }: Call): XmlObject {
  modifyEni(ctx, params.required("NetworkInterfaceId"), { sourceDestCheck: true });
  return done;
}

/** A permission lets another account attach an interface; here there is no other account to check it for. */
function createNetworkInterfacePermission({ ctx, params }: Call): XmlObject {
  const eni = visibleEni(ctx, params.required("NetworkInterfaceId"));
  const permission = params.word("Permission", ["INSTANCE-ATTACH", "EIP-ASSOCIATE"]);
  if (permission === undefined) throw faults.missing("permission");
  return {
    interfacePermission: {
      networkInterfacePermissionId: `eni-perm-0${ctx.random.hex(16)}`,
      networkInterfaceId: eni.eniId,
      awsAccountId: params.text("AwsAccountId"),
      permission,
      permissionState: { state: "granted" },
    },
  };
}

export const interfaceActions = [
  action(
    "CreateNetworkInterface",
    [
      "SubnetId",
      "Description",
      "SecurityGroupId",
      "InterfaceType",
      "ConnectionTrackingSpecification",
      "ClientToken",
      "TagSpecification",
      "PrivateIpAddress",
      "PrivateIpAddresses",
      "SecondaryPrivateIpAddressCount",
      "Ipv4Prefix",
      "Ipv4PrefixCount",
      "Ipv6Addresses",
      "Ipv6AddressCount",
      "Ipv6Prefix",
      "Ipv6PrefixCount",
      "EnablePrimaryIpv6",
      "Operator",
    ],
    createNetworkInterface,
  ),
  action("DeleteNetworkInterface", ["NetworkInterfaceId"], deleteNetworkInterface),
  action(
    "AttachNetworkInterface",
    ["NetworkInterfaceId", "InstanceId", "DeviceIndex", "NetworkCardIndex"],
    attachNetworkInterface,
  ),
  action("DetachNetworkInterface", ["AttachmentId", "Force"], detachNetworkInterface),
  action(
    "ModifyNetworkInterfaceAttribute",
    ["NetworkInterfaceId", ...attributeNames],
    modifyNetworkInterfaceAttribute,
  ),
  action(
    "ResetNetworkInterfaceAttribute",
    ["NetworkInterfaceId", "SourceDestCheck"],
    resetNetworkInterfaceAttribute,
  ),
  action(
    "CreateNetworkInterfacePermission",
    ["NetworkInterfaceId", "AwsAccountId", "AwsService", "Permission"],
    createNetworkInterfacePermission,
  ),
];
