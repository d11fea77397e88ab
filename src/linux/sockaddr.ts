import { AF_INET, AF_INET6 } from "./libc.ts";
import { hostIsLittleEndian as le, viewOf } from "./netlink/align.ts";
import { addressBytes, addressFromBytes } from "./rtnetlink/family.ts";
import type { IpAddress } from "./rtnetlink/values.ts";

/** An address and a port; `scopeId` is the device of an IPv6 link-local address. */
export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
  readonly scopeId?: number;
}

/** struct sockaddr_in6 is the longer of the two. */
export const sockaddrLength = 28;

/**
 * struct sockaddr_in: __u16 family, __be16 port, __be32 address, 8 bytes of zeros; struct sockaddr_in6: __u16
 * family, __be16 port, __be32 flow, 16 bytes of address, __u32 scope.
 */
export function encodeSockaddr(endpoint: Endpoint): Uint8Array {
  const v4 = typeof endpoint.address === "number";
  const bytes = new Uint8Array(v4 ? 16 : sockaddrLength);
  const view = viewOf(bytes);
  view.setUint16(0, v4 ? AF_INET : AF_INET6, le);
  view.setUint16(2, endpoint.port);
  bytes.set(addressBytes(endpoint.address), v4 ? 4 : 8);
  if (!v4) view.setUint32(24, endpoint.scopeId ?? 0, le);
  return bytes;
}

/** Undefined for other families than AF_INET and AF_INET6. */
export function decodeSockaddr(bytes: Uint8Array): Endpoint | undefined {
  const view = viewOf(bytes);
  const family = view.getUint16(0, le);
  if (family === AF_INET) return { address: addressFromBytes(bytes.subarray(4, 8)), port: view.getUint16(2) };
  if (family !== AF_INET6) return undefined;
  const scopeId = view.getUint32(24, le);
  return {
    address: addressFromBytes(bytes.subarray(8, 24)),
    port: view.getUint16(2),
    ...(scopeId === 0 ? {} : { scopeId }),
  };
}
