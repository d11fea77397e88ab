import { endianness } from "node:os";

/** Netlink speaks the byte order of the machine; what is in network order says so. */
export const hostIsLittleEndian = endianness() === "LE";

/** NLMSG_ALIGN and NLA_ALIGN of <linux/netlink.h>: messages and attributes start at multiples of 4 bytes. */
export function align4(length: number): number {
  return (length + 3) & ~3;
}

/** A view of exactly these bytes. */
export function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
