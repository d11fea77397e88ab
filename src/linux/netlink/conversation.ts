import { EniverseError } from "../../base/error.ts";
import { errno } from "../errno.ts";
import { acknowledgementError, decodeAcknowledgement, decodeDone } from "./error.ts";
import {
  askForAcknowledgement,
  controlType,
  decodeMessages,
  encodeMessage,
  headerLength,
  messageFlag,
  type NetlinkMessage,
} from "./message.ts";
import type { NetlinkTransport } from "./socket.ts";

/** One request, before it has a sequence number. */
export interface NetlinkRequest {
  /** What it does, for error messages: "add the route 10.0.0.0/16". */
  readonly attempted: string;
  readonly type: number;
  /** Flags besides NLM_F_REQUEST and NLM_F_ACK, which are the conversation's. */
  readonly flags: number;
  readonly body: Uint8Array;
  /** errno numbers that count as success. */
  readonly tolerated: readonly number[];
}

/** What came back for one request of a batch. */
export interface Outcome {
  /** Messages before the acknowledgement (the answer of a get, the echo of a new). */
  readonly answers: readonly NetlinkMessage[];
  readonly error?: EniverseError;
}

/** Both keep a batch's acknowledgements within the socket's receive buffer. */
const mostPerSend = 128;
const mostBytesPerSend = 64 * 1024;
const mostDumps = 20;

/** Requests and their answers, matched by sequence number, over one socket. */
export class NetlinkConversation {
  readonly #transport: NetlinkTransport;
  #sequence = 0;

  constructor(transport: NetlinkTransport) {
    this.#transport = transport;
  }

  /** Sends one request; returns the messages that came before its acknowledgement, throws its error. */
  request(request: NetlinkRequest): readonly NetlinkMessage[] {
    const [outcome] = this.batch([request]);
    if (outcome?.error !== undefined) throw outcome.error;
    return outcome?.answers ?? [];
  }

  /** As {@link request}, while the thread does other things; nothing else may be asked of this conversation. */
  async requestInBackground(request: NetlinkRequest): Promise<readonly NetlinkMessage[]> {
    const bytes = this.#encode(request, messageFlag.request | messageFlag.ack | request.flags);
    await this.#transport.sendInBackground(bytes);
    const [outcome] = this.#collect([request]);
    if (outcome?.error !== undefined) throw outcome.error;
    return outcome?.answers ?? [];
  }

  /**
   * Sends all requests, many in one datagram. The kernel carries them out in order and goes on after one that
   * fails; the outcomes are in the order of the requests. Only the last of a datagram asks for an acknowledgement:
   * failures are told in any case (netlink_rcv_skb), and what nothing was said of went well.
   */
  batch(requests: readonly NetlinkRequest[]): Outcome[] {
    this.#renewSequence();
    const outcomes: Outcome[] = [];
    let group: Uint8Array[] = [];
    let groupBytes = 0;
    let groupStart = 0;
    const flush = (): void => {
      const last = group.at(-1);
      if (last === undefined) return;
      askForAcknowledgement(last);
      this.#transport.send(group.length === 1 && group[0] ? group[0] : joined(group, groupBytes));
      outcomes.push(...this.#collect(requests.slice(groupStart, groupStart + group.length)));
      groupStart += group.length;
      group = [];
      groupBytes = 0;
    };
    for (const request of requests) {
      const full = groupBytes + headerLength + request.body.length > mostBytesPerSend;
      // Before the next number is given out: #collect counts back from the last one.
      if (full || group.length === mostPerSend) flush();
      const bytes = this.#encode(request, messageFlag.request | request.flags);
      group.push(bytes);
      groupBytes += bytes.length;
    }
    flush();
    return outcomes;
  }

  /**
   * All entries of a table. Starts over when the table changed in the meantime; throws `unavailable` when that
   * happens again and again.
   */
  dump(request: NetlinkRequest): NetlinkMessage[] {
    this.#renewSequence();
    for (let attempt = 0; attempt < mostDumps; attempt++) {
      this.#transport.send(this.#encode(request, messageFlag.request | messageFlag.dump | request.flags));
      const entries = this.#collectDump(request);
      if (entries !== undefined) return entries;
    }
    throw new EniverseError("unavailable", {
      attempted: request.attempted,
      found: `the table changed during each of ${mostDumps} attempts`,
    });
  }

  close(): void {
    this.#transport.close();
  }

  /** Sequence numbers start over between batches only, so that those of one batch follow each other. */
  #renewSequence(): void {
    if (this.#sequence > 0x7000_0000) this.#sequence = 0;
  }

  #encode(request: NetlinkRequest, flags: number): Uint8Array {
    this.#sequence++;
    return encodeMessage({
      type: request.type,
      flags,
      sequence: this.#sequence,
      port: 0,
      body: request.body,
    });
  }

  /** Reads until the last of the requests has its acknowledgement. */
  #collect(requests: readonly NetlinkRequest[]): Outcome[] {
    const firstSequence = this.#sequence - requests.length + 1;
    const outcomes = new Map<number, Outcome>();
    const answers = new Map<number, NetlinkMessage[]>();
    while (!outcomes.has(requests.length - 1)) {
      for (const message of decodeMessages(this.#transport.receive())) {
        const index = message.sequence - firstSequence;
        const request = requests[index];
        // Left over from a request that was given up.
        if (request === undefined) continue;
        if (message.type !== controlType.error) {
          answers.set(index, [...(answers.get(index) ?? []), message]);
          continue;
        }
        const acknowledgement = decodeAcknowledgement(message);
        const failed = acknowledgement.errno !== 0 && !request.tolerated.includes(acknowledgement.errno);
        outcomes.set(index, {
          answers: answers.get(index) ?? [],
          ...(failed
            ? { error: acknowledgementError(request.attempted, acknowledgement, request.body) }
            : {}),
        });
      }
    }
    return requests.map((_, index) => outcomes.get(index) ?? { answers: answers.get(index) ?? [] });
  }

  /** Reads one dump to its end; undefined when it was interrupted. */
  #collectDump(request: NetlinkRequest): NetlinkMessage[] | undefined {
    const entries: NetlinkMessage[] = [];
    let interrupted = false;
    for (;;) {
      for (const message of decodeMessages(this.#transport.receive())) {
        if (message.sequence !== this.#sequence) continue;
        interrupted ||= (message.flags & messageFlag.dumpInterrupted) !== 0;
        if (message.type === controlType.error || message.type === controlType.done) {
          const end =
            message.type === controlType.error ? decodeAcknowledgement(message) : decodeDone(message);
          if (end.errno === errno.EINTR) return undefined;
          if (end.errno !== 0 && !request.tolerated.includes(end.errno))
            throw acknowledgementError(request.attempted, end, request.body);
          return interrupted ? undefined : entries;
        }
        entries.push(message);
      }
    }
  }
}

function joined(parts: readonly Uint8Array[], length: number): Uint8Array {
  const all = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
