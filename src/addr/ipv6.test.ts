import { expect, test } from "bun:test";
import fc from "fast-check";
import { formatIpv6, ipv6, ipv6Bytes, ipv6FromBytes, parseIpv6, tryParseIpv6 } from "./ipv6.ts";

// The left column is from RFC 5952 §1, §2 and §4, the right one what §4 makes of it.
test.each([
  ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:0db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
  ["2001:DB8::1", "2001:db8::1"],
  ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
  ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
  ["::", "::"],
  ["0:0:0:0:0:0:0:1", "::1"],
  ["fe80:ec2::1", "fe80:ec2::1"],
  ["fd00::ac:0", "fd00::ac:0"],
  ["::ffff:10.0.1.17", "::ffff:a00:111"],
  ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ["1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"],
  ["1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"],
])("%s is written %s", (text, canonical) => {
  expect(formatIpv6(parseIpv6(text))).toBe(canonical);
});

test.each([
  "",
  ":",
  ":::",
  "1::2::3",
  "1:2:3:4:5:6:7",
  "1:2:3:4:5:6:7:8:9",
  "1:2:3:4:5:6:7:8::",
  "12345::",
  "g::",
  "fe80::1%eth0",
  "::1/64",
  "10.0.0.1",
  "1.2.3.4::",
  "::1.2.3.4:5",
  "::1.2.3",
])("%j is no address", (text) => {
  expect(tryParseIpv6(text)).toBeUndefined();
  expect(() => parseIpv6(text)).toThrow("cannot read an IPv6 address");
});

test("any address survives text and bytes", () => {
  const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, (parts) => {
      const address = ipv6(parts.reduce((value, part) => (value << 16n) | BigInt(part), 0n));
      expect(parseIpv6(formatIpv6(address))).toBe(address);
      expect(ipv6FromBytes(ipv6Bytes(address))).toBe(address);
    }),
  );
});

test("bytes are sixteen", () => {
  expect(() => ipv6FromBytes(new Uint8Array(4))).toThrow("4 bytes; wanted 16 bytes");
});
