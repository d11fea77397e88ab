import { expect, test } from "bun:test";
import { formatIpv6 } from "../../addr/ipv6.ts";
import { parseMac } from "../../addr/mac.ts";
import { insideTable, isPortDevice, linkLocalOf, links, outsideTable, portDevice } from "./names.ts";

test("portDevice keeps the end of an ENI's id, within the kernel's 15 characters", () => {
  expect(portDevice("eni-0a1b2c3d4e5f60718")).toBe("e-2c3d4e5f60718");
  expect(portDevice("eni-1")).toBe("e-1");
  expect(portDevice("eni-0a1b2c3d4e5f60718")).toHaveLength(15);
  for (const { device } of Object.values(links)) expect(isPortDevice(device)).toBe(false);
});

test("insideTable and outsideTable are beside each other and above 65535, whatever the id", () => {
  for (let number = 0; number < 500; number++) {
    const id = `subnet-${number.toString(16)}`;
    expect(outsideTable(id)).toBe(insideTable(id) + 1);
    expect(insideTable(id)).toBeGreaterThan(0xffff);
    expect(outsideTable(id)).toBeLessThan(2 ** 32);
  }
});

test("linkLocalOf makes the address that the kernel makes", () => {
  // `ip -6 addr` of a device with this MAC.
  expect(formatIpv6(linkLocalOf(parseMac("02:1c:ff:00:00:01")))).toBe("fe80::1c:ffff:fe00:1");
});
