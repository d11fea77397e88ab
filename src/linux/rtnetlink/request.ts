import { errno } from "../errno.ts";
import type { NetlinkRequest } from "../netlink/conversation.ts";
import { messageFlag } from "../netlink/message.ts";
import type { Tolerance } from "./values.ts";

/** What a request says of itself: for errors, the message's number and its body. */
type Said = Pick<NetlinkRequest, "attempted" | "type" | "body">;

/** Fails with EEXIST when it is there, unless tolerated. */
export function addRequest(said: Said, options?: Tolerance): NetlinkRequest {
  return {
    ...said,
    flags: messageFlag.create | messageFlag.exclusive,
    tolerated: toleratedErrnos(options),
  };
}

/** Adds it or changes the one that is there. */
export function replaceRequest(said: Said): NetlinkRequest {
  return { ...said, flags: messageFlag.create | messageFlag.replace, tolerated: [] };
}

/** A deletion or a change of what must be there, unless its absence is tolerated. */
export function plainRequest(said: Said, options?: Tolerance): NetlinkRequest {
  return { ...said, flags: 0, tolerated: toleratedErrnos(options) };
}

/** All entries that the body's filter lets through; absent filters are everything. */
export function listRequest(attempted: string, type: number, body: Uint8Array): NetlinkRequest {
  return { attempted, type, flags: 0, body, tolerated: [] };
}

/** What the kernel answers when something is already there; EEXIST for all subjects. */
const exists = [errno.EEXIST];
/**
 * What it answers when something to delete is not: ESRCH routes, ENOENT rules and neighbours, ENODEV links,
 * EADDRNOTAVAIL addresses.
 */
const absent = [errno.ESRCH, errno.ENOENT, errno.ENODEV, errno.EADDRNOTAVAIL];

function toleratedErrnos(options: Tolerance | undefined): readonly number[] {
  if (options?.tolerate === undefined) return [];
  return options.tolerate === "exists" ? exists : absent;
}
