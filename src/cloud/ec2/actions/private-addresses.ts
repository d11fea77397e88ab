import { formatCidr } from "../../../addr/cidr.ts";
import { formatIpv4 } from "../../../addr/ipv4.ts";
import { formatIpv6 } from "../../../addr/ipv6.ts";
import { block28, block80 } from "../../model/address-taking.ts";
import { assignIpv6Addresses, unassignIpv6Addresses } from "../../model/ipv6-addresses.ts";
import { assignPrivateAddresses, unassignPrivateAddresses } from "../../model/private-addresses.ts";
import { action, type Call, done } from "../action.ts";
import type { XmlObject } from "../encode-xml.ts";
import { cidr4Parameter, cidr6Parameter, given, ipv4Parameter, ipv6Parameter } from "../parameters.ts";
import { visibleEni } from "./describe-interfaces.ts";

function assignPrivateIpAddresses({ ctx, params }: Call): XmlObject {
  const { eniId } = visibleEni(ctx, params.required("NetworkInterfaceId"));
  const assigned = assignPrivateAddresses(ctx, {
    eniId,
    ...given({
      addresses: params.list("PrivateIpAddress")?.map((text) => ipv4Parameter(text, "privateIpAddress")),
      addressCount: params.int("SecondaryPrivateIpAddressCount"),
      prefixes: params.list("Ipv4Prefix")?.map((text) => cidr4Parameter(text, "ipv4Prefix")),
      prefixCount: params.int("Ipv4PrefixCount"),
      allowReassignment: params.bool("AllowReassignment"),
    }),
  });
  return {
    ...done,
    networkInterfaceId: eniId,
    assignedPrivateIpAddressesSet: assigned.addresses.map((one) => ({ privateIpAddress: formatIpv4(one) })),
    assignedIpv4PrefixSet: assigned.prefixes.map((base) => ({ ipv4Prefix: formatCidr(block28(base)) })),
  };
}

function unassignPrivateIpAddresses({ ctx, params }: Call): XmlObject {
  unassignPrivateAddresses(ctx, {
    eniId: params.required("NetworkInterfaceId"),
    ...given({
      addresses: params.list("PrivateIpAddress")?.map((text) => ipv4Parameter(text, "privateIpAddress")),
      prefixes: params.list("Ipv4Prefix")?.map((text) => cidr4Parameter(text, "ipv4Prefix")),
    }),
  });
  return done;
}

function assignIpv6({ ctx, params }: Call): XmlObject {
  const { eniId } = visibleEni(ctx, params.required("NetworkInterfaceId"));
  const assigned = assignIpv6Addresses(ctx, {
    eniId,
    ...given({
      addresses: params.list("Ipv6Addresses")?.map((text) => ipv6Parameter(text, "ipv6Addresses")),
      addressCount: params.int("Ipv6AddressCount"),
      prefixes: params.list("Ipv6Prefix")?.map((text) => cidr6Parameter(text, "ipv6Prefix")),
      prefixCount: params.int("Ipv6PrefixCount"),
    }),
  });
  return {
    assignedIpv6Addresses: assigned.addresses.map(formatIpv6),
    assignedIpv6PrefixSet: assigned.prefixes.map((base) => formatCidr(block80(base))),
    networkInterfaceId: eniId,
  };
}

function unassignIpv6({ ctx, params }: Call): XmlObject {
  const eniId = params.required("NetworkInterfaceId");
  const addresses = (params.list("Ipv6Addresses") ?? []).map((text) => ipv6Parameter(text, "ipv6Addresses"));
  const prefixes = (params.list("Ipv6Prefix") ?? []).map((text) => cidr6Parameter(text, "ipv6Prefix"));
  unassignIpv6Addresses(ctx, { eniId, addresses, prefixes });
  return {
    networkInterfaceId: eniId,
    unassignedIpv6Addresses: addresses.map(formatIpv6),
    unassignedIpv6PrefixSet: prefixes.map(formatCidr),
  };
}

export const privateAddressActions = [
  action(
    "AssignPrivateIpAddresses",
    [
      "NetworkInterfaceId",
      "PrivateIpAddress",
      "SecondaryPrivateIpAddressCount",
      "Ipv4Prefix",
      "Ipv4PrefixCount",
      "AllowReassignment",
    ],
    assignPrivateIpAddresses,
  ),
  action(
    "UnassignPrivateIpAddresses",
    ["NetworkInterfaceId", "PrivateIpAddress", "Ipv4Prefix"],
    unassignPrivateIpAddresses,
  ),
  action(
    "AssignIpv6Addresses",
    ["NetworkInterfaceId", "Ipv6Addresses", "Ipv6AddressCount", "Ipv6Prefix", "Ipv6PrefixCount"],
    assignIpv6,
  ),
  action("UnassignIpv6Addresses", ["NetworkInterfaceId", "Ipv6Addresses", "Ipv6Prefix"], unassignIpv6),
];
