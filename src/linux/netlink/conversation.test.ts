import { describe, expect, test } from "bun:test";
import { hasCode } from "../../base/error.ts";
import { errno } from "../errno.ts";
import { viewOf } from "./align.ts";
import { AttributeEncoder } from "./attribute.ts";
import { NetlinkConversation, type NetlinkRequest } from "./conversation.ts";
import { controlType, decodeMessages, encodeMessage, messageFlag, type NetlinkMessage } from "./message.ts";
import type { NetlinkTransport } from "./socket.ts";

/** A kernel that answers each datagram as the script says; it must be asked exactly that often. */
class ScriptedKernel implements NetlinkTransport {
  readonly sent: NetlinkMessage[][] = [];
  readonly #answer: (requests: readonly NetlinkMessage[]) => Uint8Array[];
  #waiting: Uint8Array[] = [];

  constructor(answer: (requests: readonly NetlinkMessage[]) => Uint8Array[]) {
    this.#answer = answer;
  }

  send(datagram: Uint8Array): void {
    const requests = decodeMessages(datagram);
    this.sent.push(requests);
    this.#waiting.push(...this.#answer(requests));
  }

  async sendInBackground(datagram: Uint8Array): Promise<void> {
    this.send(datagram);
  }

  receive(): Uint8Array {
    const next = this.#waiting.shift();
    if (next === undefined) throw new Error("the kernel would never answer");
    return next;
  }

  close(): void {}
}

function request(body: Uint8Array = new Uint8Array(12), tolerated: readonly number[] = []): NetlinkRequest {
  return { attempted: "try something", type: 24, flags: 0, body, tolerated };
}

function message(sequence: number, type: number, body: Uint8Array, flags = 0): Uint8Array {
  return encodeMessage({ type, flags, sequence, port: 0, body });
}

/** An NLMSG_ERROR with a capped request and perhaps extended-ack attributes. */
function acknowledgement(
  to: NetlinkMessage,
  number: number,
  attributes: Uint8Array = new Uint8Array(),
): Uint8Array {
  const body = new Uint8Array(20 + attributes.length);
  viewOf(body).setInt32(0, -number, true);
  viewOf(body).setUint32(4, 16 + to.body.length, true);
  body.set(attributes, 20);
  const flags = messageFlag.capped | (attributes.length > 0 ? messageFlag.ackAttributes : 0);
  return message(to.sequence, controlType.error, body, flags);
}

const done = (to: NetlinkMessage, flags: number = messageFlag.multi, number = 0): Uint8Array =>
  message(to.sequence, controlType.done, new Uint8Array(Int32Array.of(-number).buffer), flags);

describe("a batch", () => {
  test("matches outcomes by sequence number; what nothing was said of before the last one's went well", () => {
    const kernel = new ScriptedKernel(([first, second, third]) => {
      if (!first || !second || !third) throw new Error("three are due");
      const stale = message(first.sequence + 1000, controlType.error, new Uint8Array(20));
      const echo = message(second.sequence, 16, Uint8Array.of(1, 2, 3, 4));
      return [
        new Uint8Array(Buffer.concat([stale, echo, acknowledgement(first, errno.ESRCH)])),
        acknowledgement(third, errno.EEXIST),
      ];
    });
    const conversation = new NetlinkConversation(kernel);
    const outcomes = conversation.batch([request(), request(), request(undefined, [errno.EEXIST])]);
    expect(outcomes.map((outcome) => outcome.error?.code)).toEqual(["not_found", undefined, undefined]);
    expect(outcomes[1]?.answers.map((answer) => answer.type)).toEqual([16]);
    const plain = messageFlag.request;
    expect(kernel.sent[0]?.map(({ flags }) => flags)).toEqual([plain, plain, plain | messageFlag.ack]);
  });

  test("is cut into datagrams whose acknowledgements fit the socket", () => {
    const kernel = new ScriptedKernel((requests) => requests.map((sent) => acknowledgement(sent, 0)));
    const outcomes = new NetlinkConversation(kernel).batch(Array.from({ length: 300 }, () => request()));
    expect(outcomes.length).toBe(300);
    expect(kernel.sent.map((sent) => sent.length)).toEqual([128, 128, 44]);
    expect(new NetlinkConversation(kernel).batch([])).toEqual([]);
  });
});

describe("a refused request", () => {
  test("carries the kernel's text and the attribute that it points to", () => {
    const body = new AttributeEncoder();
    body.struct(12);
    body.u32(4, 7).u32(5, 8);
    const attributes = new AttributeEncoder().string(1, "Nexthop has invalid gateway").u32(2, 16 + 12 + 8);
    const kernel = new ScriptedKernel(([sent]) =>
      sent ? [acknowledgement(sent, errno.EINVAL, attributes.finish())] : [],
    );
    const fail = () => new NetlinkConversation(kernel).request(request(body.finish()));
    expect(fail).toThrow(
      'cannot try something: EINVAL (invalid argument): the kernel says "Nexthop has invalid gateway" about attribute 5 at byte 36',
    );
    try {
      fail();
    } catch (error) {
      expect(hasCode(error, "invalid_argument") && error.parts.facts).toEqual({
        errno: "EINVAL",
        kernelText: "Nexthop has invalid gateway",
        offset: 36,
        attribute: 5,
      });
    }
  });

  test("an answer with the request in it is read too", () => {
    const kernel = new ScriptedKernel(([sent]) => {
      if (!sent) return [];
      const text = new AttributeEncoder().string(1, "why").finish();
      const body = new Uint8Array(4 + 16 + sent.body.length + text.length);
      viewOf(body).setInt32(0, -errno.EPERM, true);
      viewOf(body).setUint32(4, 16 + sent.body.length, true);
      body.set(text, 4 + 16 + sent.body.length);
      return [message(sent.sequence, controlType.error, body, messageFlag.ackAttributes)];
    });
    expect(() => new NetlinkConversation(kernel).request(request())).toThrow('the kernel says "why"');
  });
});

describe("a dump", () => {
  const entry = (to: NetlinkMessage, flags = 0): Uint8Array =>
    message(to.sequence, 24, new Uint8Array(4), messageFlag.multi | flags);

  test("is read to its end over several datagrams", () => {
    const kernel = new ScriptedKernel(([sent]) => (sent ? [entry(sent), entry(sent), done(sent)] : []));
    expect(new NetlinkConversation(kernel).dump(request()).length).toBe(2);
    expect(kernel.sent[0]?.[0]?.flags).toBe(messageFlag.request | messageFlag.dump);
  });

  test("starts over when the table changed, and keeps nothing of the first try", () => {
    let round = 0;
    const kernel = new ScriptedKernel(([sent]) => {
      if (!sent) return [];
      round++;
      if (round === 1) return [entry(sent, messageFlag.dumpInterrupted), entry(sent), done(sent)];
      if (round === 2) return [entry(sent), done(sent, messageFlag.multi, errno.EINTR)];
      return [entry(sent), done(sent)];
    });
    expect(new NetlinkConversation(kernel).dump(request()).length).toBe(1);
    expect(round).toBe(3);
  });

  test("gives up after a while", () => {
    const kernel = new ScriptedKernel(([sent]) =>
      sent ? [done(sent, messageFlag.multi | messageFlag.dumpInterrupted)] : [],
    );
    expect(() => new NetlinkConversation(kernel).dump(request())).toThrow(
      "changed during each of 20 attempts",
    );
  });

  test("a refusal is an error, a tolerated one an empty list", () => {
    const kernel = new ScriptedKernel(([sent]) => (sent ? [acknowledgement(sent, errno.ENOENT)] : []));
    const conversation = new NetlinkConversation(kernel);
    expect(() => conversation.dump(request())).toThrow("ENOENT");
    expect(conversation.dump(request(undefined, [errno.ENOENT]))).toEqual([]);
  });
});
