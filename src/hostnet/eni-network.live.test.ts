import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { parseCidr } from "../addr/cidr.ts";
import { parseIpv4 } from "../addr/ipv4.ts";
import { parseIpv6 } from "../addr/ipv6.ts";
import { parseMac } from "../addr/mac.ts";
import { ManualClock, realClock } from "../base/clock.ts";
import { EniverseError } from "../base/error.ts";
import { deleteRulesFrom, type EniNetwork, setUpEniNetwork } from "./eni-network.ts";
import type { HostNetns } from "./host.ts";
import { TestBed } from "./test-bed.ts";

let bed: TestBed;

const eni: EniNetwork = {
  mac: parseMac("02:00:00:00:02:14"),
  slot: { cardIndex: 0, deviceIndex: 1 },
  primaryAddress: parseIpv4("10.0.2.20"),
  subnet: parseCidr("10.0.2.0/24"),
  mtu: 1400,
  trunk: false,
  maxEnisPerCard: 3,
};

describe.skipIf(process.getuid?.() !== 0)("the network of an ENI (S46)", () => {
  beforeEach(() => {
    bed = new TestBed();
    bed.addEni("eth1", eni.mac, "10.0.2.1");
  });
  afterEach(() => bed[Symbol.dispose]());

  const rulesOf = (address: string): string[] =>
    bed.ip(bed.node, "rule").filter((rule) => rule.includes(address));

  test("stands with its own table and rule, twice", async () => {
    bed.run(bed.node, "ip", "addr", "add", "10.0.9.9/24", "dev", "eth1");
    for (let round = 0; round < 2; round++) {
      expect(await setUpEniNetwork(bed.host, eni)).toBe(2);
      expect(bed.ip(bed.node, "route", "show", "table", "2")).toEqual([
        "10.0.2.1 dev eth1 scope link",
        "default via 10.0.2.1 dev eth1",
      ]);
      expect(bed.ip(bed.node, "-4", "-o", "addr", "show", "dev", "eth1").length).toBe(1);
      expect(bed.ip(bed.node, "-4", "-o", "addr", "show", "dev", "eth1")[0]).toContain("inet 10.0.2.20/24");
      expect(bed.ip(bed.node, "route", "show", "10.0.2.0/24")).toEqual([]);
      expect(rulesOf("10.0.2.20")).toEqual(["32765: from 10.0.2.20 lookup 2"]);
      expect(bed.host.rt.linkByMac(eni.mac)?.mtu).toBe(1400);
    }
    bed.run(bed.world, "ip", "route", "add", "10.0.9.0/24", "via", "10.0.2.20");
    bed.run(bed.node, "ip", "route", "get", "10.0.1.1", "from", "10.0.2.20");
    expect(bed.run(bed.node, "ip", "route", "get", "192.0.2.1", "from", "10.0.2.20")).toContain(
      "via 10.0.2.1 dev eth1 table 2",
    );
    deleteRulesFrom(bed.host, eni.primaryAddress);
    expect(rulesOf("10.0.2.20")).toEqual([]);
  });

  test("a trunk has no rule, and a card above 0 adopts the table that is there", async () => {
    await setUpEniNetwork(bed.host, { ...eni, trunk: true });
    expect(rulesOf("10.0.2.20")).toEqual([]);
    bed.run(bed.node, "ip", "rule", "add", "from", "10.0.2.20", "table", "10101", "priority", "10101");
    expect(await setUpEniNetwork(bed.host, { ...eni, slot: { cardIndex: 1, deviceIndex: 1 } })).toBe(10101);
    expect(rulesOf("10.0.2.20")).toEqual(["10101: from 10.0.2.20 lookup 10101"]);
    expect(bed.ip(bed.node, "route", "show", "table", "10101").length).toBe(2);
  });

  test("IPv6 has the VPC's router as its gateway", async () => {
    const ipv6 = {
      ...eni,
      primaryAddress: parseIpv6("2001:db8:2::20"),
      subnet: parseCidr("2001:db8:2::/64"),
    };
    await setUpEniNetwork(bed.host, ipv6);
    expect(bed.ip(bed.node, "-6", "route", "show", "table", "2")).toEqual([
      "default via fe80:ec2::1 dev eth1 metric 1024 pref medium",
      "fe80:ec2::1 dev eth1 metric 1024 pref medium",
    ]);
    expect(bed.ip(bed.node, "-6", "route", "show", "2001:db8:2::/64")).toEqual([]);
    expect(bed.ip(bed.node, "-6", "rule")).toContain("32765: from 2001:db8:2::20 lookup 2");
  });

  test("the device may appear late", async () => {
    const late = { ...eni, mac: parseMac("02:00:00:00:03:14") };
    const clock = new ManualClock();
    const done = setUpEniNetwork(bed.host, late, clock);
    await clock.advance(1000);
    bed.addEni("eth2", late.mac, "10.0.2.1");
    await clock.advance(1000);
    expect(await done).toBe(2);
  });

  test("a device that never appears, and the primary ENI, are refused", async () => {
    const clock = new ManualClock();
    const lost = setUpEniNetwork(bed.host, { ...eni, mac: parseMac("02:00:00:00:0f:0f") }, clock);
    const outcome = lost.catch((error: unknown) => String(error));
    await clock.advance(20_000);
    expect(await outcome).toContain("failed to find the link which uses MAC address 02:00:00:00:0f:0f");
    const primary = setUpEniNetwork(bed.host, { ...eni, slot: { cardIndex: 0, deviceIndex: 0 } }, realClock);
    await expect(primary).rejects.toThrow("never be called on the primary ENI");
  });

  test("a route that the kernel does not take yet is tried five times", async () => {
    const host = (failures: number): { host: HostNetns; tries: () => number } => {
      let tries = 0;
      const rt = new Proxy(bed.host.rt, {
        get: (target, name) => {
          const found: unknown = Reflect.get(target, name);
          if (typeof found !== "function") return found;
          return (...args: unknown[]): unknown => {
            if (name === "replaceRoute" && tries++ < failures)
              throw new EniverseError("unavailable", { attempted: "replace a route" });
            return found.apply(target, args);
          };
        },
      });
      const wrapped: HostNetns = Object.create(bed.host, { rt: { value: rt } });
      return { host: wrapped, tries: () => tries };
    };
    const clock = new ManualClock();
    const shy = host(4);
    const done = setUpEniNetwork(shy.host, eni, clock);
    await clock.advance(7500);
    expect(await done).toBe(2);
    expect(shy.tries()).toBe(6);
    const outcome = setUpEniNetwork(host(5).host, eni, clock).catch(String);
    await clock.advance(7500);
    expect(await outcome).toContain("cannot replace a route");
  });
});
