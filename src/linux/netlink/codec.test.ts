import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { EniverseError } from "../../base/error.ts";
import { AttributeDecoder, AttributeEncoder } from "./attribute.ts";
import { decodeMessages, encodeMessage } from "./message.ts";

const u16 = fc.integer({ min: 0, max: 0xffff });
const u32 = fc.integer({ min: 0, max: 0xffffffff });

describe("messages", () => {
  const anyMessage = fc.record({
    type: u16,
    flags: u16,
    sequence: u32,
    port: u32,
    body: fc.uint8Array({ maxLength: 64 }),
  });

  test("a datagram of any messages reads back", () => {
    fc.assert(
      fc.property(fc.array(anyMessage, { maxLength: 6 }), (messages) => {
        const datagram = Buffer.concat(messages.map((message) => encodeMessage(message)));
        const read = decodeMessages(new Uint8Array(datagram));
        expect(read.map((message) => ({ ...message, body: Uint8Array.from(message.body) }))).toEqual(
          messages,
        );
      }),
    );
  });

  test("garbage is refused or read, never anything else", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        try {
          decodeMessages(bytes);
        } catch (error) {
          expect(error instanceof EniverseError && error.code).toBe("corrupted");
        }
      }),
    );
  });

  test("a length beyond the datagram is refused", () => {
    const bytes = encodeMessage({ type: 1, flags: 0, sequence: 1, port: 0, body: new Uint8Array(4) });
    expect(() => decodeMessages(bytes.subarray(0, 18))).toThrow("a length of 20 with 18 bytes left");
    expect(() => decodeMessages(bytes.subarray(0, 7))).toThrow("7 bytes left");
  });
});

describe("attributes", () => {
  const anyType = fc.integer({ min: 1, max: 0x3fff });

  test("any list of values reads back, nested ones too", () => {
    const value = fc.oneof(
      fc.record({ kind: fc.constant("u8" as const), value: fc.integer({ min: 0, max: 255 }) }),
      fc.record({ kind: fc.constant("u16" as const), value: u16 }),
      fc.record({ kind: fc.constant("u32" as const), value: u32 }),
      fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array({ maxLength: 40 }) }),
      fc.record({ kind: fc.constant("string" as const), value: fc.stringMatching(/^[ -~]{0,20}$/) }),
    );
    const list = fc.array(fc.tuple(anyType, value), { maxLength: 40 });
    fc.assert(
      fc.property(anyType, list, list, (nestType, inner, outer) => {
        const put = (encoder: AttributeEncoder, entries: typeof inner): void => {
          for (const [type, entry] of entries) {
            if (entry.kind === "bytes") encoder.bytes(type, entry.value);
            else if (entry.kind === "string") encoder.string(type, entry.value);
            else encoder[entry.kind](type, entry.value);
          }
        };
        const read = (decoder: AttributeDecoder, entries: typeof inner): void => {
          for (const [type, entry] of entries) {
            expect(decoder.next()).toBe(true);
            expect(decoder.type).toBe(type);
            const found = entry.kind === "bytes" ? Uint8Array.from(decoder.bytes()) : decoder[entry.kind]();
            expect(found).toEqual(entry.value);
          }
        };
        const encoder = new AttributeEncoder();
        encoder.struct(6).setUint8(5, 77);
        encoder.nested(nestType, (nest) => put(nest, inner));
        put(encoder, outer);
        const bytes = encoder.finish();
        expect(bytes[5]).toBe(77);
        const decoder = new AttributeDecoder(bytes, 8, "a test");
        expect(decoder.next()).toBe(true);
        const nest = decoder.nested();
        read(nest, inner);
        expect(nest.next()).toBe(false);
        read(decoder, outer);
        expect(decoder.next()).toBe(false);
        decoder.finish();
      }),
    );
  });

  test("the first problem sticks and comes out at the end", () => {
    const bytes = new AttributeEncoder().u16(1, 5).u32(2, 6).finish();
    const decoder = new AttributeDecoder(bytes, 0, "a test");
    decoder.next();
    expect(decoder.u32()).toBe(0);
    expect(decoder.next()).toBe(false);
    expect(() => decoder.finish()).toThrow("attribute 1 of 2 bytes where 4 are due");
  });

  test("a problem in a nested list is a problem of the whole", () => {
    const bytes = new AttributeEncoder().nested(1, (inner) => inner.u8(2, 1)).finish();
    const decoder = new AttributeDecoder(bytes, 0, "a test");
    decoder.next();
    const nest = decoder.nested();
    nest.next();
    nest.u32();
    expect(() => decoder.finish()).toThrow("attribute 2 of 1 bytes");
  });

  test("lengths beyond the end and missing headers are problems", () => {
    const long = new AttributeDecoder(Uint8Array.of(9, 0, 1, 0, 5, 5, 5, 5), 0, "a test");
    expect(long.next()).toBe(false);
    expect(() => long.finish()).toThrow("attribute length 9 with 8 bytes left");
    const short = new AttributeDecoder(new Uint8Array(4), 12, "a test");
    expect(short.next()).toBe(false);
    expect(() => short.finish()).toThrow("4 bytes where a header takes 12");
  });

  test("a value that 16 bits cannot measure is refused", () => {
    expect(() => new AttributeEncoder().bytes(1, new Uint8Array(0xfffc))).toThrow("at most 65531 bytes");
    const nestTooMuch = () =>
      new AttributeEncoder().nested(1, (inner) => {
        for (let part = 0; part < 3; part++) inner.bytes(2, new Uint8Array(30_000));
      });
    expect(nestTooMuch).toThrow("at most 65531 bytes");
  });
});
