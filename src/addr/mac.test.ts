import { expect, test } from "bun:test";
import { seededRandom } from "../base/random.ts";
import { macBytes, macFromBytes, parseMac, randomMac } from "./mac.ts";

test("a MAC address is kept in lower case, and survives bytes", () => {
  const mac = parseMac("02:1C:FF:00:0a:01");
  expect(mac as string).toBe("02:1c:ff:00:0a:01");
  expect([...macBytes(mac)]).toEqual([2, 0x1c, 0xff, 0, 10, 1]);
  expect(macFromBytes(macBytes(mac))).toBe(mac);
});

test.each([
  "",
  "02:1c:ff:00:0a",
  "02-1c-ff-00-0a-01",
  "02:1c:ff:00:0a:0g",
  "021cff000a01",
  "02:1c:ff:00:0a:01:02",
])("%j is no MAC address", (text) => {
  expect(() => parseMac(text)).toThrow("cannot read a MAC address");
});

test("random ones are unicast and locally administered", () => {
  const random = seededRandom(1);
  const macs = Array.from({ length: 200 }, () => randomMac(random));
  for (const mac of macs) expect((macBytes(mac)[0] ?? 0) & 3).toBe(2);
  expect(new Set(macs).size).toBe(200);
});
