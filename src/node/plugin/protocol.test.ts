import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type CniRequest, decodeRequest, decodeResponse, encodeRequest, encodeResponse } from "./protocol.ts";

const name = fc.stringMatching(/^CNI_[A-Z]{1,12}$/);
const value = fc.string({ unit: "grapheme" }).filter((text) => !text.includes("\0"));
const request: fc.Arbitrary<CniRequest> = fc.record({
  env: fc.dictionary(name, value, { noNullPrototype: true }),
  stdin: fc.uint8Array({ maxLength: 300 }),
});

describe("frames of the CNI socket", () => {
  test("what is encoded is read back", () => {
    fc.assert(fc.property(request, (sent) => expect(decodeRequest(encodeRequest(sent))).toEqual(sent)));
    fc.assert(
      fc.property(fc.nat(255), fc.string({ unit: "grapheme" }), (exitCode, stdout) =>
        expect(decodeResponse(encodeResponse({ exitCode, stdout }))).toEqual({ exitCode, stdout }),
      ),
    );
  });

  test("a frame that is cut short asks for more bytes", () => {
    fc.assert(
      fc.property(request, fc.nat(1000), (sent, cut) => {
        const bytes = encodeRequest(sent);
        expect(decodeRequest(bytes.subarray(0, cut % bytes.length))).toBeUndefined();
      }),
    );
  });

  test("other protocols and endless lengths are refused", () => {
    expect(() => decodeRequest(new TextEncoder().encode("GET / HTTP/1.1\r\n"))).toThrow("starts with CNI1");
    const endless = encodeRequest({ env: {}, stdin: new Uint8Array() });
    endless.fill(0xff, 4, 8);
    expect(() => decodeRequest(endless)).toThrow("at most 16777216 bytes each");
  });

  test("the bytes that relay.c writes", () => {
    const bytes = encodeRequest({ env: { CNI_COMMAND: "DEL" }, stdin: Uint8Array.of(0x7b, 0x7d) });
    expect(Buffer.from(bytes).toString("hex")).toBe(
      `434e493100000010000000${"02"}${Buffer.from("CNI_COMMAND=DEL\0{}").toString("hex")}`,
    );
  });
});
