import { EniverseError, messageOf } from "../../base/error.ts";
import { errno, systemError } from "../errno.ts";
import {
  AF_NETLINK,
  check,
  closeFd,
  lastErrno,
  MSG_TRUNC,
  raw,
  SO_RCVBUFFORCE,
  SO_RCVTIMEO,
  SOCK_CLOEXEC,
  SOCK_RAW,
  SOL_SOCKET,
  setIntOption,
} from "../libc.ts";
import { inNetns, type Netns } from "../netns.ts";

/** Where netlink datagrams go and come from: the kernel, or a script in tests. */
export interface NetlinkTransport {
  send(datagram: Uint8Array): void;
  /**
   * As {@link send}, on another thread: the kernel works on a request while it is sent, and some take long. The
   * answer can be received when this resolves; nothing else may be sent before.
   */
  sendInBackground(datagram: Uint8Array): Promise<void>;
  /** The next datagram; waits for it. */
  receive(): Uint8Array;
  close(): void;
}

/** Protocols of <linux/netlink.h>. */
export const netlinkProtocol = { route: 0 } as const;

/** Options of level SOL_NETLINK. */
const SOL_NETLINK = 270;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const NETLINK_GET_STRICT_CHK = 12;

/** The kernel fills dump datagrams up to 32 KiB when the reader's buffer is that large (af_netlink.c). */
const receiveBufferLength = 32 * 1024;
/** Acknowledgements of a whole batch wait in the socket's buffer; each counts for about 1 KiB there. */
const socketBufferLength = 1024 * 1024;
/** The kernel answers before send returns; waiting longer than this means that it never will. */
const longestWaitSeconds = 10;

/**
 * Opens a netlink socket in `ns` or in the thread's namespace, with extended acknowledgements, short
 * acknowledgements and strict checking of dump requests (so that the kernel filters, and refuses what it does
 * not know). The socket is not bound: the kernel gives it a port at the first send.
 */
export function openNetlinkSocket(protocol: number, ns?: Netns): NetlinkTransport {
  const open = (): number =>
    check(raw.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol), "open a netlink socket");
  const fd = ns === undefined ? open() : inNetns(ns, open);
  try {
    for (const option of [NETLINK_CAP_ACK, NETLINK_EXT_ACK, NETLINK_GET_STRICT_CHK])
      setIntOption(fd, SOL_NETLINK, option, 1);
    setIntOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, socketBufferLength);
    const wait = new Uint8Array(BigInt64Array.of(BigInt(longestWaitSeconds), 0n).buffer);
    check(raw.setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, wait, wait.length), "limit waits on a netlink socket");
  } catch (error) {
    closeFd(fd);
    throw error;
  }
  return new KernelTransport(fd);
}

/** Of all sockets: what was received is copied out of it at once. */
const received = new Uint8Array(receiveBufferLength);

class KernelTransport implements NetlinkTransport {
  #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  send(datagram: Uint8Array): void {
    check(raw.send(this.#fd, datagram, datagram.length, 0), "send to the kernel over netlink");
  }

  sendInBackground(datagram: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      raw.sendAsync(this.#fd, datagram, datagram.length, 0, (error: unknown, sent: number) => {
        // Naming the datagram here also keeps it from being collected while the other thread reads it.
        if (error === null && sent === datagram.length) resolve();
        // errno belongs to the other thread and is lost; send on a netlink socket fails for want of memory.
        else
          reject(
            systemError("send to the kernel over netlink", errno.ENOBUFS, { found: messageOf(error ?? "") }),
          );
      });
    });
  }

  receive(): Uint8Array {
    for (;;) {
      const length: number = raw.recv(this.#fd, received, received.length, MSG_TRUNC);
      if (length < 0 && lastErrno() === errno.EINTR) continue;
      check(length, "receive from the kernel over netlink");
      if (length > received.length) {
        throw new EniverseError("internal", {
          attempted: "receive from the kernel over netlink",
          found: `a datagram of ${length} bytes`,
          wanted: `at most ${received.length}`,
        });
      }
      return received.slice(0, length);
    }
  }

  close(): void {
    if (this.#fd < 0) return;
    closeFd(this.#fd);
    this.#fd = -1;
  }
}
