import { EniverseError, type ErrorCode } from "../base/error.ts";
import { errno, errnoName, systemError } from "./errno.ts";
import { decodeEchoReply, encodeEchoRequest } from "./icmp.ts";
import {
  AF_INET,
  AF_INET6,
  check,
  closeFd,
  lastErrno,
  POLLIN,
  POLLOUT,
  raw,
  SO_ERROR,
  SOCK_CLOEXEC,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  SOCK_RAW,
  SOCK_STREAM,
  SOL_SOCKET,
} from "./libc.ts";
import { hostIsLittleEndian as le, viewOf } from "./netlink/align.ts";
import { inNetns, type Netns } from "./netns.ts";
import { waitForEvents } from "./poller.ts";
import { familyOf, formatAddress } from "./rtnetlink/family.ts";
import type { IpAddress } from "./rtnetlink/values.ts";
import { encodeSockaddr } from "./sockaddr.ts";

/** A packet exchange to try from a network namespace. */
export interface Probe {
  readonly to: IpAddress;
  readonly timeoutMs: number;
  /** Source address; the kernel picks one when absent. */
  readonly from?: IpAddress;
}

export interface PortProbe extends Probe {
  readonly port: number;
}

export type ProbeResult =
  | {
      readonly ok: true;
      readonly rttMs: number;
      /** What the other side answered; for an echo listener the source that it saw, "10.0.1.17 40312". */
      readonly answer: string;
    }
  | { readonly ok: false; readonly code: ErrorCode; readonly errno?: string; readonly reason: string };

/** <linux/in.h>, <linux/in6.h> */
const IPPROTO_ICMP = 1;
const IPPROTO_ICMPV6 = 58;

const largestAnswer = 64 * 1024;
const fromUtf8 = new TextDecoder();
const utf8 = new TextEncoder();

/** Connects, and reads until the other side has sent a line or closed. */
export function probeTcp(ns: Netns, probe: PortProbe): Promise<ProbeResult> {
  return attempt(ns, probe, SOCK_STREAM, 0, async (socket) => {
    if (!socket.connect(probe.to, probe.port) && !(await socket.until(POLLOUT))) return undefined;
    socket.throwPending();
    let answer = "";
    while (!answer.includes("\n")) {
      const bytes = await socket.receive();
      if (bytes === undefined) return undefined;
      if (bytes.length === 0) break;
      answer += fromUtf8.decode(bytes);
    }
    return answer;
  });
}

/** Sends a datagram and waits for one. Nothing is sent twice: a lost datagram is a failed probe. */
export function probeUdp(ns: Netns, probe: PortProbe, payload = "eniverse probe\n"): Promise<ProbeResult> {
  return attempt(ns, probe, SOCK_DGRAM, 0, async (socket) => {
    socket.connect(probe.to, probe.port);
    socket.send(utf8.encode(payload));
    const bytes = await socket.receive();
    return bytes === undefined ? undefined : fromUtf8.decode(bytes);
  });
}

let nextIdentifier = process.pid & 0xffff;

/** Sends one ICMP echo request and waits for its reply. */
export function ping(ns: Netns, probe: Probe): Promise<ProbeResult> {
  const family = familyOf(probe.to);
  nextIdentifier = (nextIdentifier + 1) & 0xffff;
  const echo = { identifier: nextIdentifier, sequence: 1, payload: utf8.encode("eniverse probe") };
  const protocol = family === 4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
  return attempt(ns, probe, SOCK_RAW, protocol, async (socket) => {
    socket.connect(probe.to, 0);
    socket.send(encodeEchoRequest(family, echo));
    for (;;) {
      const packet = await socket.receive();
      if (packet === undefined) return undefined;
      // A raw socket gets the ICMP packets of all other probes too.
      const reply = decodeEchoReply(family, packet);
      if (reply?.identifier === echo.identifier && reply.sequence === echo.sequence)
        return fromUtf8.decode(reply.payload);
    }
  });
}

/** Runs one exchange; what it throws or does not get in time becomes a failed result. */
async function attempt(
  ns: Netns,
  probe: Probe,
  type: number,
  protocol: number,
  exchange: (socket: ProbeSocket) => Promise<string | undefined>,
): Promise<ProbeResult> {
  const start = performance.now();
  let socket: ProbeSocket | undefined;
  try {
    socket = ProbeSocket.open(ns, probe, type, protocol);
    const answer = await exchange(socket);
    if (answer !== undefined) return { ok: true, rttMs: performance.now() - start, answer };
    return { ok: false, code: "timeout", reason: `no answer within ${probe.timeoutMs} ms` };
  } catch (error) {
    if (!(error instanceof EniverseError)) throw error;
    const name = error.parts.facts?.errno;
    return {
      ok: false,
      code: error.code,
      reason: error.parts.found ?? error.message,
      ...(typeof name === "string" ? { errno: name } : {}),
    };
  } finally {
    socket?.close();
  }
}

/** A non-blocking socket with an end to its patience. */
class ProbeSocket {
  readonly #fd: number;
  readonly #endsAt: number;
  readonly #what: string;

  private constructor(fd: number, probe: Probe) {
    this.#fd = fd;
    this.#endsAt = performance.now() + probe.timeoutMs;
    this.#what = `probe ${formatAddress(probe.to)}`;
  }

  static open(ns: Netns, probe: Probe, type: number, protocol: number): ProbeSocket {
    const domain = familyOf(probe.to) === 4 ? AF_INET : AF_INET6;
    const fd = inNetns(ns, () =>
      check(raw.socket(domain, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), "open a probe socket"),
    );
    const socket = new ProbeSocket(fd, probe);
    if (probe.from === undefined) return socket;
    try {
      const source = encodeSockaddr({ address: probe.from, port: 0 });
      check(raw.bind(fd, source, source.length), `send from ${formatAddress(probe.from)}`);
      return socket;
    } catch (error) {
      socket.close();
      throw error;
    }
  }

  /** True when connected at once, false when the answer is still to come. */
  connect(to: IpAddress, port: number): boolean {
    const address = encodeSockaddr({ address: to, port });
    if (raw.connect(this.#fd, address, address.length) === 0) return true;
    const failure = lastErrno();
    if (failure === errno.EINPROGRESS) return false;
    throw systemError(this.#what, failure);
  }

  send(bytes: Uint8Array): void {
    check(raw.send(this.#fd, bytes, bytes.length, 0), this.#what);
  }

  /** What came next; empty at the end of a stream, undefined when time is up. */
  async receive(): Promise<Uint8Array | undefined> {
    const buffer = new Uint8Array(largestAnswer);
    for (;;) {
      const length: number = raw.recv(this.#fd, buffer, buffer.length, 0);
      if (length >= 0) return buffer.subarray(0, length);
      const failure = lastErrno();
      if (failure !== errno.EAGAIN) throw systemError(this.#what, failure);
      if (!(await this.until(POLLIN))) return undefined;
    }
  }

  until(events: number): Promise<boolean> {
    return waitForEvents(this.#fd, events, Math.max(0, this.#endsAt - performance.now()));
  }

  /** Throws the error that an asynchronous connect or an ICMP message left on the socket. */
  throwPending(): void {
    const value = new Uint8Array(4);
    check(
      raw.getsockopt(this.#fd, SOL_SOCKET, SO_ERROR, value, new Uint32Array([4])),
      "read a socket's pending error",
    );
    const pending = viewOf(value).getInt32(0, le);
    if (pending !== 0) throw systemError(this.#what, pending, { facts: { errno: errnoName(pending) } });
  }

  close(): void {
    closeFd(this.#fd);
  }
}
