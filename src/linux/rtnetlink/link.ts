import { type Mac, macBytes, macFromBytes } from "../../addr/mac.ts";
import { EniverseError } from "../../base/error.ts";
import { hostIsLittleEndian as le, viewOf } from "../netlink/align.ts";
import { AttributeDecoder, AttributeEncoder } from "../netlink/attribute.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import { messageFlag } from "../netlink/message.ts";
import { checkDeviceName } from "./family.ts";
import { listRequest, plainRequest } from "./request.ts";
import type { Link, LinkChanges, MacvlanSpec, NewLinkEnd, Tolerance, VethSpec } from "./values.ts";

/** <linux/rtnetlink.h> */
export const linkMessage = { new: 16, delete: 17, get: 18 } as const;

/**
 * struct ifinfomsg: __u8 family, __u8 pad, __u16 type, __s32 index, __u32 flags, __u32 change.
 */
const ifinfoLength = 16;
const IFF_UP = 0x1;
const IFF_LOOPBACK = 0x8;
const IFF_LOWER_UP = 0x10000;

/** enum IFLA_… of <linux/if_link.h> */
const ifla = {
  address: 1,
  name: 3,
  mtu: 4,
  link: 5,
  txQueueLength: 13,
  linkInfo: 18,
  alias: 20,
  group: 27,
  netnsFd: 28,
  extendedMask: 29,
  txQueues: 31,
  rxQueues: 32,
  linkNetnsId: 37,
  gsoMaxSize: 41,
  groMaxSize: 58,
  gsoIpv4MaxSize: 63,
  groIpv4MaxSize: 64,
} as const;
const iflaInfo = { kind: 1, data: 2 } as const;
/** VETH_INFO_PEER of <linux/veth.h> */
const vethPeer = 1;
/** IFLA_MACVLAN_MODE of <linux/if_link.h> */
const macvlanMode = 1;
const macvlanModes = { private: 1, vepa: 2, bridge: 4, passthru: 8 } as const;
/** RTEXT_FILTER_SKIP_STATS: leaves out the counters. */
const skipStatistics = 1 << 3;

/**
 * Makes a veth pair. `spec.peer.up` is left to a request of its own in the peer's namespace: while it makes the
 * peer the kernel has not joined the two ends yet and would refuse to bring it up (veth_open: ENOTCONN).
 */
export function addVethRequest(spec: VethSpec): NetlinkRequest {
  const body = new AttributeEncoder();
  encodeEnd(body, spec);
  body.nested(ifla.linkInfo, () => {
    body.text(iflaInfo.kind, "veth").nested(iflaInfo.data, () => {
      body.nested(vethPeer, () => encodeEnd(body, { ...spec.peer, up: false }));
    });
  });
  return creation(`add the veth pair ${spec.name} and ${spec.peer.name}`, body);
}

export function addMacvlanRequest(spec: MacvlanSpec): NetlinkRequest {
  const body = new AttributeEncoder();
  encodeEnd(body, spec, spec.parentIndex);
  body.nested(ifla.linkInfo, () => {
    body.text(iflaInfo.kind, "macvlan").nested(iflaInfo.data, () => {
      body.u32(macvlanMode, macvlanModes[spec.mode]);
    });
  });
  return creation(`add the macvlan ${spec.name} on device ${spec.parentIndex}`, body);
}

/** NLM_F_ECHO makes the kernel answer with the new link, so that its index is known (since Linux 6.2). */
function creation(attempted: string, body: AttributeEncoder): NetlinkRequest {
  return {
    attempted,
    type: linkMessage.new,
    flags: messageFlag.create | messageFlag.exclusive | messageFlag.echo,
    body: body.finish(),
    tolerated: [],
  };
}

/** The attributes of one end, in the order in which `ip link add` sends them. */
function encodeEnd(body: AttributeEncoder, end: NewLinkEnd, parentIndex?: number): void {
  header(body, { index: end.index ?? 0, flags: end.up ? IFF_UP : 0, change: end.up ? IFF_UP : 0 });
  if (end.mac !== undefined) body.bytes(ifla.address, macBytes(end.mac));
  if (end.mtu !== undefined) body.u32(ifla.mtu, end.mtu);
  if (end.txQueueLength !== undefined) body.u32(ifla.txQueueLength, end.txQueueLength);
  if (end.netns !== undefined) body.u32(ifla.netnsFd, end.netns.fd);
  if (end.queues !== undefined) body.u32(ifla.txQueues, end.queues).u32(ifla.rxQueues, end.queues);
  if (parentIndex !== undefined) body.u32(ifla.link, parentIndex);
  body.string(ifla.name, checkDeviceName(end.name));
}

function header(body: AttributeEncoder, fields: { index?: number; flags?: number; change?: number }): void {
  const view = body.struct(ifinfoLength);
  view.setInt32(4, fields.index ?? 0, le);
  view.setUint32(8, fields.flags ?? 0, le);
  view.setUint32(12, fields.change ?? 0, le);
}

/** A new name needs the link to be down on kernels before 6.2. */
export function setLinkRequest(index: number, changes: LinkChanges): NetlinkRequest {
  const body = new AttributeEncoder();
  header(body, {
    index,
    flags: changes.up === true ? IFF_UP : 0,
    change: changes.up === undefined ? 0 : IFF_UP,
  });
  if (changes.mac !== undefined) body.bytes(ifla.address, macBytes(changes.mac));
  if (changes.mtu !== undefined) body.u32(ifla.mtu, changes.mtu);
  if (changes.txQueueLength !== undefined) body.u32(ifla.txQueueLength, changes.txQueueLength);
  if (changes.netns !== undefined) body.u32(ifla.netnsFd, changes.netns.fd);
  if (changes.group !== undefined) body.u32(ifla.group, changes.group);
  if (changes.largestSegment !== undefined) {
    for (const type of [ifla.gsoMaxSize, ifla.groMaxSize, ifla.gsoIpv4MaxSize, ifla.groIpv4MaxSize])
      body.u32(type, changes.largestSegment);
  }
  if (changes.alias !== undefined) body.text(ifla.alias, changes.alias);
  if (changes.name !== undefined) body.string(ifla.name, checkDeviceName(changes.name));
  const what = Object.keys(changes).join(", ");
  return plainRequest({
    attempted: `set ${what} of device ${index}`,
    type: linkMessage.new,
    body: body.finish(),
  });
}

/** Deleting one end of a veth pair deletes the other too. */
export function deleteLinkRequest(index: number, options?: Tolerance): NetlinkRequest {
  const body = new AttributeEncoder();
  header(body, { index });
  return plainRequest(
    { attempted: `delete device ${index}`, type: linkMessage.delete, body: body.finish() },
    options,
  );
}

/** Deletes a link by its name. */
export function deleteLinkByNameRequest(name: string, options?: Tolerance): NetlinkRequest {
  const body = new AttributeEncoder();
  header(body, {});
  body.string(ifla.name, checkDeviceName(name));
  return plainRequest(
    { attempted: `delete the device ${name}`, type: linkMessage.delete, body: body.finish() },
    options,
  );
}

/** Deletes all links of a group that is not 0; in the kernel that takes as long as deleting one. */
export function deleteLinkGroupRequest(group: number, options?: Tolerance): NetlinkRequest {
  if (group <= 0) {
    throw new EniverseError("invalid_argument", {
      attempted: `delete the devices of group ${group}`,
      wanted: "a group of 1 or more: 0 has every device that was never put into one",
    });
  }
  const body = new AttributeEncoder();
  header(body, {});
  body.u32(ifla.group, group);
  return plainRequest(
    { attempted: `delete the devices of group ${group}`, type: linkMessage.delete, body: body.finish() },
    options,
  );
}

/** All links. */
export function listLinksRequest(): NetlinkRequest {
  const body = new AttributeEncoder();
  header(body, {});
  body.u32(ifla.extendedMask, skipStatistics);
  return listRequest("list the network devices", linkMessage.get, body.finish());
}

/** One link by index or by name. */
export function getLinkRequest(which: number | string): NetlinkRequest {
  const body = new AttributeEncoder();
  header(body, { index: typeof which === "number" ? which : 0 });
  body.u32(ifla.extendedMask, skipStatistics);
  if (typeof which === "string") body.string(ifla.name, checkDeviceName(which));
  return listRequest(`look up the network device ${which}`, linkMessage.get, body.finish());
}

/** Reads an RTM_NEWLINK. Throws `corrupted`. */
export function decodeLink(body: Uint8Array): Link {
  const attributes = new AttributeDecoder(body, ifinfoLength, "a link");
  attributes.finish();
  const view = viewOf(body);
  const flags = view.getUint32(8, le);
  let name = "";
  let mtu = 0;
  const more: {
    mac?: Mac;
    kind?: string;
    peerIndex?: number;
    peerNetnsId?: number;
    txQueueLength?: number;
    alias?: string;
  } = {};
  while (attributes.next()) {
    switch (attributes.type) {
      case ifla.address:
        if (attributes.bytes().length === 6) more.mac = macFromBytes(attributes.bytes());
        break;
      case ifla.name:
        name = attributes.string();
        break;
      case ifla.mtu:
        mtu = attributes.u32();
        break;
      case ifla.link:
        more.peerIndex = attributes.u32();
        break;
      case ifla.txQueueLength:
        more.txQueueLength = attributes.u32();
        break;
      case ifla.alias:
        more.alias = attributes.string();
        break;
      case ifla.linkNetnsId:
        more.peerNetnsId = attributes.i32();
        break;
      case ifla.linkInfo: {
        const info = attributes.nested();
        while (info.next()) if (info.type === iflaInfo.kind) more.kind = info.string();
        break;
      }
    }
  }
  attributes.finish();
  return {
    index: view.getInt32(4, le),
    name,
    mtu,
    up: (flags & IFF_UP) !== 0,
    carrier: (flags & IFF_LOWER_UP) !== 0,
    loopback: (flags & IFF_LOOPBACK) !== 0,
    ...more,
  };
}
