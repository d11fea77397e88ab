import { type Mac, macBytes, macFromBytes } from "../../addr/mac.ts";
import { EniverseError } from "../../base/error.ts";
import { hostIsLittleEndian as le, viewOf } from "../netlink/align.ts";
import { AttributeDecoder, AttributeEncoder } from "../netlink/attribute.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import { addressBytes, afOf, familyOf, familyOfAf, formatAddress, readAddress } from "./family.ts";
import { listRequest, plainRequest, replaceRequest } from "./request.ts";
import type {
  IpAddress,
  Neighbour,
  NeighbourFilter,
  NeighbourSpec,
  NeighbourState,
  Tolerance,
} from "./values.ts";

/** <linux/rtnetlink.h> */
export const neighbourMessage = { new: 28, delete: 29, get: 30 } as const;

/** struct ndmsg: __u8 family, 3 bytes of padding, __s32 ifindex, __u16 state, __u8 flags, __u8 type. */
const ndmsgLength = 12;
const NTF_PROXY = 0x08;

/** enum NDA_… of <linux/neighbour.h> */
const nda = { destination: 1, mac: 2, interfaceIndex: 8 } as const;

/** NUD_… of <linux/neighbour.h> */
const states: Readonly<Record<NeighbourState, number>> = {
  none: 0,
  incomplete: 0x01,
  reachable: 0x02,
  stale: 0x04,
  delay: 0x08,
  probe: 0x10,
  failed: 0x20,
  noarp: 0x40,
  permanent: 0x80,
};
const stateNames = new Map(Object.entries(states).map(([name, number]) => [number, name as NeighbourState]));

/** Adds the entry or changes the one that is there. */
export function replaceNeighbourRequest(spec: NeighbourSpec): NetlinkRequest {
  if (spec.mac === undefined && !spec.proxy) {
    throw new EniverseError("invalid_argument", {
      attempted: `set the neighbour ${describe(spec)}`,
      found: "no MAC address",
      wanted: "a MAC address or a proxy entry",
    });
  }
  return replaceRequest({
    attempted: `set the neighbour ${describe(spec)}`,
    type: neighbourMessage.new,
    body: encodeNeighbour(spec),
  });
}

export function deleteNeighbourRequest(
  spec: Pick<NeighbourSpec, "interfaceIndex" | "address" | "proxy">,
  options?: Tolerance,
): NetlinkRequest {
  return plainRequest(
    {
      attempted: `delete the neighbour ${describe(spec)}`,
      type: neighbourMessage.delete,
      body: encodeNeighbour(spec),
    },
    options,
  );
}

function describe(spec: NeighbourSpec): string {
  const kind = spec.proxy ? "proxy entry " : "";
  return `${kind}${formatAddress(spec.address)} of device ${spec.interfaceIndex}`;
}

function encodeNeighbour(spec: NeighbourSpec): Uint8Array {
  const body = new AttributeEncoder();
  header(body, {
    af: afOf(familyOf(spec.address)),
    interfaceIndex: spec.interfaceIndex,
    state: states[spec.state ?? "permanent"],
    proxy: spec.proxy === true,
  });
  body.bytes(nda.destination, addressBytes(spec.address));
  if (spec.mac !== undefined) body.bytes(nda.mac, macBytes(spec.mac));
  return body.finish();
}

function header(
  body: AttributeEncoder,
  fields: { af: number; interfaceIndex: number; state: number; proxy: boolean },
): void {
  const view = body.struct(ndmsgLength);
  view.setUint8(0, fields.af);
  view.setInt32(4, fields.interfaceIndex, le);
  view.setUint16(8, fields.state, le);
  view.setUint8(10, fields.proxy ? NTF_PROXY : 0);
}

export function listNeighboursRequest(filter: NeighbourFilter = {}): NetlinkRequest {
  const body = new AttributeEncoder();
  // The device goes into an attribute: the strict check wants the header's field to be 0.
  header(body, { af: afOf(filter.family), interfaceIndex: 0, state: 0, proxy: filter.proxy === true });
  if (filter.interfaceIndex !== undefined) body.u32(nda.interfaceIndex, filter.interfaceIndex);
  return listRequest("list neighbours", neighbourMessage.get, body.finish());
}

/** Reads an RTM_NEWNEIGH; undefined when it is of another family or has no address. Throws `corrupted`. */
export function decodeNeighbour(body: Uint8Array): Neighbour | undefined {
  const attributes = new AttributeDecoder(body, ndmsgLength, "a neighbour");
  attributes.finish();
  const view = viewOf(body);
  const family = familyOfAf(view.getUint8(0));
  let address: IpAddress | undefined;
  let mac: Mac | undefined;
  while (attributes.next()) {
    if (attributes.type === nda.destination) address = readAddress(attributes);
    else if (attributes.type === nda.mac && attributes.bytes().length === 6)
      mac = macFromBytes(attributes.bytes());
  }
  attributes.finish();
  if (family === undefined || address === undefined) return undefined;
  return {
    family,
    interfaceIndex: view.getInt32(4, le),
    address,
    ...(mac === undefined ? {} : { mac }),
    state: stateNames.get(view.getUint16(8, le)) ?? "none",
    proxy: (view.getUint8(10) & NTF_PROXY) !== 0,
  };
}
