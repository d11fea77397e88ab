import type { EniverseError } from "../../base/error.ts";
import { systemError } from "../errno.ts";
import { align4, hostIsLittleEndian as le, viewOf } from "./align.ts";
import { AttributeDecoder } from "./attribute.ts";
import { headerLength, messageFlag, type NetlinkMessage } from "./message.ts";

/** What the kernel said about one request. */
export interface Acknowledgement {
  /** 0 for success. */
  readonly errno: number;
  /** The extended acknowledgement's text; it may come with success too, as a warning. */
  readonly text?: string;
  /** Where in the request (its header included) the offending attribute starts. */
  readonly offset?: number;
  /** Type of an attribute that the kernel missed. */
  readonly missingType?: number;
}

/** enum nlmsgerr_attrs of <linux/netlink.h>. */
const attribute = { text: 1, offset: 2, missingType: 5 } as const;

/**
 * Reads an NLMSG_ERROR: struct nlmsgerr is the negative errno and the header of the request, followed by the
 * request's body unless the answer is capped, and then by the extended-ack attributes.
 */
export function decodeAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const view = viewOf(message.body);
  const number = -view.getInt32(0, le);
  if ((message.flags & messageFlag.ackAttributes) === 0) return { errno: number };
  const requestLength = view.getUint32(4, le);
  const capped = number === 0 || (message.flags & messageFlag.capped) !== 0;
  return readAttributes(message.body, 4 + (capped ? headerLength : align4(requestLength)), number);
}

/** Reads the errno at the start of an NLMSG_DONE, and the extended-ack attributes after it. */
export function decodeDone(message: NetlinkMessage): Acknowledgement {
  if (message.body.length < 4) return { errno: 0 };
  const number = -viewOf(message.body).getInt32(0, le);
  if ((message.flags & messageFlag.ackAttributes) === 0) return { errno: Math.max(0, number) };
  return readAttributes(message.body, 4, Math.max(0, number));
}

function readAttributes(body: Uint8Array, offset: number, number: number): Acknowledgement {
  const found: { text?: string; offset?: number; missingType?: number } = {};
  const attributes = new AttributeDecoder(body, offset, "an extended acknowledgement");
  while (attributes.next()) {
    if (attributes.type === attribute.text) found.text = attributes.string();
    else if (attributes.type === attribute.offset) found.offset = attributes.u32();
    else if (attributes.type === attribute.missingType) found.missingType = attributes.u32();
  }
  attributes.finish();
  return { errno: number, ...found };
}

/** The error of a refused request; `body` is the request's body, to name the attribute that was at fault. */
export function acknowledgementError(
  attempted: string,
  acknowledgement: Acknowledgement,
  body: Uint8Array,
): EniverseError {
  const { text, offset, missingType } = acknowledgement;
  const said: string[] = [];
  const facts: Record<string, string | number> = {};
  if (text !== undefined) {
    said.push(`the kernel says "${text}"`);
    facts.kernelText = text;
  }
  if (offset !== undefined) {
    facts.offset = offset;
    const typeAt = offset - headerLength + 2;
    if (typeAt >= 2 && typeAt + 2 <= body.length) {
      facts.attribute = viewOf(body).getUint16(typeAt, le) & 0x3fff;
      said.push(`about attribute ${facts.attribute} at byte ${offset}`);
    }
  }
  if (missingType !== undefined) {
    facts.missingAttribute = missingType;
    said.push(`attribute ${missingType} is missing`);
  }
  return systemError(attempted, acknowledgement.errno, {
    ...(said.length === 0 ? {} : { found: said.join(" ") }),
    facts,
  });
}
