import type { Ipv4 } from "../../addr/ipv4.ts";
import { hostIsLittleEndian as le, viewOf } from "../netlink/align.ts";
import { AttributeDecoder, AttributeEncoder } from "../netlink/attribute.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import {
  addressBytes,
  addressFromBytes,
  afOf,
  familyOf,
  familyOfAf,
  formatAddress,
  readAddress,
} from "./family.ts";
import { addRequest, listRequest, plainRequest, replaceRequest } from "./request.ts";
import { scopeName, scopeNumber } from "./scope.ts";
import type { AddressFilter, AddressSpec, InterfaceAddress, IpAddress, Tolerance } from "./values.ts";

/** <linux/rtnetlink.h> */
export const addressMessage = { new: 20, delete: 21, get: 22 } as const;

/** struct ifaddrmsg: __u8 family, __u8 prefixlen, __u8 flags, __u8 scope, __u32 index. */
const ifaddrLength = 8;

/** enum IFA_… of <linux/if_addr.h> */
const ifa = { address: 1, local: 2, label: 3, broadcast: 4, flags: 8 } as const;
const addressFlag = {
  noDad: 0x02,
  dadFailed: 0x08,
  tentative: 0x40,
  permanent: 0x80,
  noPrefixRoute: 0x200,
} as const;

/** Throws `already_exists` when run and the address is there, unless tolerated. */
export function addAddressRequest(spec: AddressSpec, options?: Tolerance): NetlinkRequest {
  return addRequest(
    { attempted: `add the address ${describe(spec)}`, type: addressMessage.new, body: encodeAddress(spec) },
    options,
  );
}

/** Adds the address or changes what can be changed of one that is there (flags, broadcast, lifetimes). */
export function replaceAddressRequest(spec: AddressSpec): NetlinkRequest {
  return replaceRequest({
    attempted: `replace the address ${describe(spec)}`,
    type: addressMessage.new,
    body: encodeAddress(spec),
  });
}

export function deleteAddressRequest(spec: AddressSpec, options?: Tolerance): NetlinkRequest {
  return plainRequest(
    {
      attempted: `delete the address ${describe(spec)}`,
      type: addressMessage.delete,
      body: encodeAddress(spec),
    },
    options,
  );
}

function describe(spec: AddressSpec): string {
  return `${formatAddress(spec.address)}/${spec.bits} of device ${spec.interfaceIndex}`;
}

/** The body, its attributes in the order of `ip address`. */
function encodeAddress(spec: AddressSpec): Uint8Array {
  const body = new AttributeEncoder();
  const flags = (spec.noDad ? addressFlag.noDad : 0) | (spec.noPrefixRoute ? addressFlag.noPrefixRoute : 0);
  const view = body.struct(ifaddrLength);
  view.setUint8(0, afOf(familyOf(spec.address)));
  view.setUint8(1, spec.bits);
  view.setUint8(2, flags & 0xff);
  view.setUint8(3, scopeNumber(spec.scope ?? usualScope(spec.address)));
  view.setUint32(4, spec.interfaceIndex, le);
  body.bytes(ifa.local, addressBytes(spec.address));
  if (flags > 0xff) body.u32(ifa.flags, flags);
  if (spec.broadcast !== undefined) body.bytes(ifa.broadcast, addressBytes(spec.broadcast));
  if (spec.label !== undefined) body.string(ifa.label, spec.label);
  return body.bytes(ifa.address, addressBytes(spec.peer ?? spec.address)).finish();
}

function usualScope(address: IpAddress): "host" | "universe" {
  return typeof address === "number" && address >>> 24 === 127 ? "host" : "universe";
}

export function listAddressesRequest(filter: AddressFilter = {}): NetlinkRequest {
  const body = new AttributeEncoder();
  const view = body.struct(ifaddrLength);
  view.setUint8(0, afOf(filter.family));
  view.setUint32(4, filter.interfaceIndex ?? 0, le);
  return listRequest("list addresses", addressMessage.get, body.finish());
}

/** Reads an RTM_NEWADDR; undefined when it is of another family than IPv4 and IPv6. Throws `corrupted`. */
export function decodeAddress(body: Uint8Array): InterfaceAddress | undefined {
  const attributes = new AttributeDecoder(body, ifaddrLength, "an address");
  attributes.finish();
  const view = viewOf(body);
  const family = familyOfAf(view.getUint8(0));
  if (family === undefined) return undefined;
  let flags = view.getUint8(2);
  let local: IpAddress | undefined;
  let remote: IpAddress | undefined;
  const more: { broadcast?: Ipv4; label?: string } = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case ifa.local:
        local = readAddress(attributes, family);
        break;
      case ifa.address:
        remote = readAddress(attributes, family);
        break;
      case ifa.broadcast:
        if (attributes.bytes().length === 4) more.broadcast = addressFromBytes(attributes.bytes()) as Ipv4;
        break;
      case ifa.label:
        more.label = attributes.string();
        break;
      case ifa.flags:
        flags = attributes.u32();
        break;
    }
  }
  // IPv6 sends IFA_LOCAL only for point-to-point addresses.
  const address = local ?? remote;
  if (address === undefined) attributes.reject("no address");
  attributes.finish();
  return {
    family,
    interfaceIndex: view.getUint32(4, le),
    address: address as IpAddress,
    bits: view.getUint8(1),
    scope: scopeName(view.getUint8(3)),
    ...(remote !== undefined && remote !== address ? { peer: remote } : {}),
    ...more,
    tentative: (flags & addressFlag.tentative) !== 0,
    dadFailed: (flags & addressFlag.dadFailed) !== 0,
    permanent: (flags & addressFlag.permanent) !== 0,
    noPrefixRoute: (flags & addressFlag.noPrefixRoute) !== 0,
  };
}
