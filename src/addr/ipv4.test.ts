import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatIpv4, ipv4, ipv4Bytes, ipv4FromBytes, parseIpv4, tryParseIpv4 } from "./ipv4.ts";

test.each(["0.0.0.0", "10.0.1.17", "255.255.255.255", "128.0.0.1"])(
  "%s is read and written the same",
  (text) => {
    expect(formatIpv4(parseIpv4(text))).toBe(text);
  },
);

test.each([
  "",
  "10.0.0",
  "10.0.0.0.0",
  "10.0.0.256",
  "10.0.0.01",
  "10.0.0.-1",
  " 10.0.0.1",
  "10.0.0.1/32",
  "a.b.c.d",
  "1e1.0.0.1",
  "10..0.1",
])("%j is no address", (text) => {
  expect(tryParseIpv4(text)).toBeUndefined();
  expect(() => parseIpv4(text)).toThrow("cannot read an IPv4 address");
});

test("any address survives text and bytes", () => {
  fc.assert(
    fc.property(fc.nat(0xffff_ffff), (value) => {
      const address = ipv4(value);
      expect(parseIpv4(formatIpv4(address))).toBe(address);
      expect(ipv4FromBytes(ipv4Bytes(address))).toBe(address);
    }),
  );
});

test("bytes are in network order, and four", () => {
  expect([...ipv4Bytes(parseIpv4("10.0.1.17"))]).toEqual([10, 0, 1, 17]);
  expect(() => ipv4FromBytes(Uint8Array.of(1, 2, 3))).toThrow("3 bytes; wanted 4 bytes");
});
