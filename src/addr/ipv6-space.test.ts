import { expect, test } from "bun:test";
import { seededRandom } from "../base/random.ts";
import { formatCidr, parseCidr6 } from "./cidr.ts";
import { formatIpv6, parseIpv6 } from "./ipv6.ts";
import { Ipv6Space } from "./ipv6-space.ts";

const subnet = (): Ipv6Space => new Ipv6Space(parseCidr6("2001:db8:0:1::/64"));

test("the first four addresses and the last are not free, and so neither are the outer prefixes", () => {
  const space = subnet();
  for (const host of ["", "1", "2", "3"])
    expect(space.isFree(parseIpv6(`2001:db8:0:1::${host}`))).toBe(false);
  expect(space.isFree(parseIpv6("2001:db8:0:1:ffff:ffff:ffff:ffff"))).toBe(false);
  expect(space.isFree(parseIpv6("2001:db8:0:2::4"))).toBe(false);
  expect(space.isFree(parseIpv6("2001:db8:0:1::4"))).toBe(true);
  expect(space.isPrefixFree(parseCidr6("2001:db8:0:1::/80"))).toBe(false);
  expect(space.isPrefixFree(parseCidr6("2001:db8:0:1:ffff::/80"))).toBe(false);
  const lowest = space.takePrefix("lowest");
  expect(lowest && formatCidr(lowest)).toBe("2001:db8:0:1:1::/80");
});

test("an address and the prefix around it exclude each other", () => {
  const space = subnet();
  const address = parseIpv6("2001:db8:0:1:5::7");
  const prefix = parseCidr6("2001:db8:0:1:5::/80");
  space.take(address);
  expect(() => space.takeGivenPrefix(prefix)).toThrow("in use");
  expect(() => space.take(address)).toThrow("a free address of 2001:db8:0:1::/64");
  space.release(address);
  expect(() => space.release(address)).toThrow("not in use");
  space.takeGivenPrefix(prefix);
  expect(space.isFree(address)).toBe(false);
  const copy = space.clone();
  space.releasePrefix(prefix);
  expect([space.isFree(address), copy.isFree(address)]).toEqual([true, false]);
  expect(() => space.releasePrefix(prefix)).toThrow("not in use");
  expect([copy.usedPrefixes, copy.usedAddresses]).toEqual([1, 0]);
});

test("prefixes can be taken at random until there is none, and the rest of the subnet still has addresses", () => {
  const space = subnet();
  const random = seededRandom(2);
  while (space.takePrefix(random) !== undefined);
  expect(space.usedPrefixes).toBe(0x1_0000 - 2);
  const address = space.takeRandom(random);
  expect(address !== undefined && /^2001:db8:0:1:(ffff)?:/.test(formatIpv6(address))).toBe(true);
});

test("random addresses differ and are remembered", () => {
  const space = subnet();
  const random = seededRandom(3);
  const taken = Array.from({ length: 500 }, () => space.takeRandom(random));
  expect(new Set(taken).size).toBe(500);
  expect(taken.every((address) => address !== undefined && !space.isFree(address))).toBe(true);
});

test("only a /64 will do", () => {
  expect(() => new Ipv6Space(parseCidr6("2001:db8::/56"))).toThrow("wanted a /64");
});
