import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  cidr4,
  cidr4Has,
  cidr4Size,
  cidr6Has,
  cidrContains,
  cidrsOverlap,
  formatCidr,
  lastIpv4,
  parseCidr,
  parseCidr4,
  parseCidr6,
  subnetOf,
  tryParseCidr,
} from "./cidr.ts";
import { formatIpv4, ipv4, parseIpv4 } from "./ipv4.ts";
import { parseIpv6 } from "./ipv6.ts";

describe("reading", () => {
  test.each([
    ["10.0.0.0/16", "10.0.0.0/16"],
    ["100.68.0.18/18", "100.68.0.0/18"],
    ["255.255.255.255/1", "128.0.0.0/1"],
    ["10.1.2.3/0", "0.0.0.0/0"],
    ["10.1.2.3/32", "10.1.2.3/32"],
    ["2001:db8:0:1ff::1/56", "2001:db8:0:100::/56"],
    ["::1/128", "::1/128"],
    ["ffff::/0", "::/0"],
  ])("%s is %s", (text, canonical) => {
    expect(formatCidr(parseCidr(text))).toBe(canonical);
  });

  test.each([
    "10.0.0.0",
    "10.0.0.0/33",
    "10.0.0.0/08",
    "10.0.0/8",
    "::/129",
    "/8",
    "10.0.0.0/",
    "10.0.0.0/8/8",
    "10.0.0.0/-1",
  ])("%j is no block", (text) => {
    expect(tryParseCidr(text)).toBeUndefined();
    expect(() => parseCidr(text)).toThrow("cannot read a CIDR block");
  });

  test("a block of the other family is refused", () => {
    expect(() => parseCidr4("::/64")).toThrow("an IPv4 block");
    expect(() => parseCidr6("10.0.0.0/8")).toThrow("an IPv6 block");
  });
});

test("sizes and ends", () => {
  expect([16, 24, 28, 32, 0].map((bits) => cidr4Size(cidr4(ipv4(0), bits)))).toEqual([
    65536,
    256,
    16,
    1,
    2 ** 32,
  ]);
  expect(formatIpv4(lastIpv4(parseCidr4("10.0.0.0/22")))).toBe("10.0.3.255");
  expect(formatIpv4(lastIpv4(parseCidr4("240.0.0.0/4")))).toBe("255.255.255.255");
});

test("containing and overlapping", () => {
  const vpc = parseCidr("10.0.0.0/16");
  expect(cidrContains(vpc, parseCidr("10.0.5.0/24"))).toBe(true);
  expect(cidrContains(vpc, vpc)).toBe(true);
  expect(cidrContains(vpc, parseCidr("10.0.0.0/15"))).toBe(false);
  expect(cidrContains(vpc, parseCidr("::/0"))).toBe(false);
  expect(cidrsOverlap(vpc, parseCidr("10.0.0.0/8"))).toBe(true);
  expect(cidrsOverlap(vpc, parseCidr("10.1.0.0/16"))).toBe(false);
  expect(cidrContains(parseCidr("2001:db8::/56"), parseCidr("2001:db8:0:ff::/64"))).toBe(true);
  expect(cidr4Has(parseCidr4("192.168.0.0/30"), parseIpv4("192.168.0.4"))).toBe(false);
  expect(cidr6Has(parseCidr6("2001:db8::/64"), parseIpv6("2001:db8::ffff:1"))).toBe(true);
});

test("subnets by number", () => {
  const vpc = parseCidr4("10.0.0.0/16");
  expect(formatCidr(subnetOf(vpc, 24, 255))).toBe("10.0.255.0/24");
  expect(formatCidr(subnetOf(vpc, 16, 0))).toBe("10.0.0.0/16");
  expect(() => subnetOf(vpc, 24, 256)).toThrow("take the /24 number 256 of 10.0.0.0/16");
  expect(() => subnetOf(vpc, 15, 0)).toThrow("a length of 16 to 32");
});

test("a block has exactly the addresses from its base to its last one", () => {
  fc.assert(
    fc.property(
      fc.nat(0xffff_ffff),
      fc.integer({ min: 0, max: 32 }),
      fc.nat(0xffff_ffff),
      (base, bits, other) => {
        const block = cidr4(ipv4(base), bits);
        const inside = other >= block.base && other <= lastIpv4(block);
        expect(cidr4Has(block, ipv4(other))).toBe(inside);
        expect(parseCidr(formatCidr(block))).toEqual(block);
      },
    ),
  );
});
