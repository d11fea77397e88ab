import { EniverseError } from "../../base/error.ts";
import { align4, hostIsLittleEndian as le, viewOf } from "./align.ts";

/**
 * struct nlmsghdr of <linux/netlink.h>:
 *
 *     __u32 nlmsg_len;    length with this header
 *     __u16 nlmsg_type;
 *     __u16 nlmsg_flags;
 *     __u32 nlmsg_seq;
 *     __u32 nlmsg_pid;    port of the sender, 0 for the kernel
 */
export const headerLength = 16;

export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  readonly body: Uint8Array;
}

/** Message types that every netlink family has. */
export const controlType = { noop: 1, error: 2, done: 3, overrun: 4 } as const;

/** nlmsg_flags; the values from 0x100 on mean different things for get, new and acknowledgement messages. */
export const messageFlag = {
  request: 0x001,
  multi: 0x002,
  ack: 0x004,
  echo: 0x008,
  /** The dumped table changed during the dump: entries may be missing or twice. */
  dumpInterrupted: 0x010,
  dump: 0x300,
  replace: 0x100,
  exclusive: 0x200,
  create: 0x400,
  append: 0x800,
  /** On acknowledgements: the failed request is not repeated in it. */
  capped: 0x100,
  /** On acknowledgements: extended-ack attributes follow. */
  ackAttributes: 0x200,
} as const;

/** The message's bytes, padded to a multiple of 4. */
export function encodeMessage(message: NetlinkMessage): Uint8Array {
  const length = headerLength + message.body.length;
  const bytes = new Uint8Array(align4(length));
  const view = viewOf(bytes);
  view.setUint32(0, length, le);
  view.setUint16(4, message.type, le);
  view.setUint16(6, message.flags, le);
  view.setUint32(8, message.sequence, le);
  view.setUint32(12, message.port, le);
  bytes.set(message.body, headerLength);
  return bytes;
}

/** Sets NLM_F_ACK in an encoded message. */
export function askForAcknowledgement(message: Uint8Array): void {
  const view = viewOf(message);
  view.setUint16(6, view.getUint16(6, le) | messageFlag.ack, le);
}

/** The messages of one datagram; bodies are views of `bytes`. Throws `corrupted`. */
export function decodeMessages(bytes: Uint8Array): NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(bytes);
  for (let offset = 0; offset < bytes.length; ) {
    const left = bytes.length - offset;
    const length = left < headerLength ? 0 : view.getUint32(offset, le);
    if (length < headerLength || length > left) {
      throw new EniverseError("corrupted", {
        attempted: "read a netlink message",
        found: `a length of ${length} with ${left} bytes left`,
        wanted: `${headerLength} to ${left}`,
      });
    }
    messages.push({
      type: view.getUint16(offset + 4, le),
      flags: view.getUint16(offset + 6, le),
      sequence: view.getUint32(offset + 8, le),
      port: view.getUint32(offset + 12, le),
      body: bytes.subarray(offset + headerLength, offset + length),
    });
    offset += align4(length);
  }
  return messages;
}
