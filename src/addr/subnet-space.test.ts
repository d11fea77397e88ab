import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { seededRandom } from "../base/random.ts";
import { type Cidr4, cidr4, formatCidr, parseCidr4, subnetOf } from "./cidr.ts";
import { formatIpv4, type Ipv4, ipv4, parseIpv4 } from "./ipv4.ts";
import { SubnetSpace } from "./subnet-space.ts";

const space = (cidr: string): SubnetSpace => new SubnetSpace(parseCidr4(cidr));

describe("an empty subnet", () => {
  test.each([
    ["10.0.0.0/28", 11, 0],
    ["10.0.0.0/27", 27, 0],
    ["10.0.0.0/26", 59, 2],
    ["10.0.0.0/24", 251, 14],
    ["10.0.0.0/16", 65531, 4094],
  ])("%s has %d free addresses and %d free /28 blocks", (cidr, addresses, blocks) => {
    const subnet = space(cidr);
    expect([subnet.freeCount, subnet.freeBlocks28Count]).toEqual([addresses, blocks]);
    expect(subnet.freeBlocks28().length).toBe(blocks);
    expect(subnet.usedCount).toBe(0);
  });

  test("keeps the first four addresses and the last", () => {
    const subnet = space("10.0.1.0/24");
    for (const text of ["10.0.1.0", "10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.255"]) {
      expect(subnet.isReservedByVpc(parseIpv4(text))).toBe(true);
      expect(() => subnet.take(parseIpv4(text))).toThrow("reserved by the VPC");
      expect(() => subnet.release(parseIpv4(text))).toThrow("not in use");
    }
    expect(formatIpv4(subnet.takeLowest() ?? ipv4(0))).toBe("10.0.1.4");
  });

  test("must be a /16 to /28", () => {
    expect(() => space("10.0.0.0/15")).toThrow("/16 to /28");
    expect(() => space("10.0.0.0/29")).toThrow("/16 to /28");
  });
});

describe("taking", () => {
  test("an address by name, once", () => {
    const subnet = space("10.0.1.0/24");
    const address = parseIpv4("10.0.1.17");
    subnet.take(address);
    expect(subnet.isFree(address)).toBe(false);
    expect(() => subnet.take(address)).toThrow("it is in use");
    expect(() => subnet.take(parseIpv4("10.0.2.17"))).toThrow("an address of 10.0.1.0/24");
    expect(subnet.isBlock28Free(parseCidr4("10.0.1.16/28"))).toBe(false);
    expect(() => subnet.takeGivenBlock28(parseCidr4("10.0.1.16/28"))).toThrow("in use");
    subnet.release(address);
    subnet.takeGivenBlock28(parseCidr4("10.0.1.16/28"));
    expect(subnet.usedCount).toBe(16);
    expect(() => subnet.releaseBlock28(parseCidr4("10.0.1.32/28"))).toThrow("not all of it is in use");
    subnet.releaseBlock28(parseCidr4("10.0.1.16/28"));
    expect(subnet.freeCount).toBe(251);
  });

  test("addresses at random fills the subnet exactly, each once", () => {
    const subnet = space("10.0.0.0/22");
    const random = seededRandom(7);
    const seen = new Set<Ipv4>();
    for (let address = subnet.takeRandom(random); address !== undefined; address = subnet.takeRandom(random))
      seen.add(address);
    expect(seen.size).toBe(1024 - 5);
    expect([subnet.freeCount, subnet.freeBlocks28Count]).toEqual([0, 0]);
  });

  test("addresses at random is even", () => {
    const random = seededRandom(11);
    const hits = new Map<number, number>();
    for (let round = 0; round < 11_000; round++) {
      const address = space("10.0.0.0/28").takeRandom(random) ?? 0;
      hits.set(address, (hits.get(address) ?? 0) + 1);
    }
    expect(hits.size).toBe(11);
    for (const count of hits.values()) expect(Math.abs(count - 1000)).toBeLessThan(150);
  });

  test("single addresses fragments the subnet: every second /28 hit leaves the others", () => {
    const subnet = space("10.0.0.0/24");
    for (let index = 1; index < 15; index += 2) subnet.take(ipv4(subnetOf(subnet.cidr, 28, index).base + 5));
    expect(subnet.freeCount).toBe(251 - 7);
    expect(subnet.freeBlocks28().map(formatCidr)).toEqual(
      [2, 4, 6, 8, 10, 12, 14].map((index) => formatCidr(subnetOf(subnet.cidr, 28, index))),
    );
  });

  test("blocks until there is none", () => {
    const subnet = space("10.0.0.0/24");
    expect(formatCidr(subnet.takeBlock28("lowest") ?? cidr4(ipv4(0), 0))).toBe("10.0.0.16/28");
    const random = seededRandom(3);
    for (let count = 1; count < 14; count++) expect(subnet.takeBlock28(random)).toBeDefined();
    expect(subnet.takeBlock28(random)).toBeUndefined();
    expect(subnet.freeCount).toBe(251 - 14 * 16);
  });
});

describe("reservations", () => {
  test("for prefixes are used first and shown as not available", () => {
    const subnet = space("10.0.0.0/24");
    subnet.reserve({ cidr: parseCidr4("10.0.0.128/26"), kind: "prefix" });
    expect([subnet.freeCount, subnet.freeBlocks28Count]).toEqual([251 - 64, 14]);
    const random = seededRandom(5);
    for (let count = 0; count < 4; count++) {
      const block = subnet.takeBlock28(random);
      expect(block !== undefined && block.base >= parseIpv4("10.0.0.128")).toBe(true);
      expect(block !== undefined && block.base < parseIpv4("10.0.0.192")).toBe(true);
    }
    expect(subnet.freeCount).toBe(251 - 64);
    expect(formatCidr(subnet.takeBlock28("lowest") as Cidr4)).toBe("10.0.0.16/28");
  });

  test("of both kinds are left alone by the automatic choice, but not by name", () => {
    const subnet = space("10.0.0.0/26");
    subnet.reserve({ cidr: parseCidr4("10.0.0.16/28"), kind: "explicit" });
    subnet.reserve({ cidr: parseCidr4("10.0.0.40/30"), kind: "prefix" });
    expect([subnet.freeCount, subnet.freeBlocks28Count]).toEqual([59 - 16 - 4, 0]);
    const random = seededRandom(1);
    while (subnet.takeRandom(random) !== undefined);
    expect(subnet.usedCount).toBe(59 - 20);
    subnet.take(parseIpv4("10.0.0.20"));
    subnet.take(parseIpv4("10.0.0.41"));
    subnet.unreserve(parseCidr4("10.0.0.16/28"));
    expect(subnet.freeCount).toBe(15);
  });

  test("over the whole subnet show none free", () => {
    const subnet = space("10.0.0.0/24");
    subnet.reserve({ cidr: subnet.cidr, kind: "prefix" });
    expect([subnet.freeCount, subnet.freeBlocks28Count]).toEqual([0, 14]);
    expect(subnet.takeRandom(seededRandom(1))).toBeUndefined();
    subnet.unreserve(subnet.cidr);
    expect([subnet.freeCount, subnet.freeBlocks28Count]).toEqual([251, 14]);
  });

  test("may not overlap, and lie inside", () => {
    const subnet = space("10.0.0.0/24");
    subnet.reserve({ cidr: parseCidr4("10.0.0.128/26"), kind: "prefix" });
    expect(() => subnet.reserve({ cidr: parseCidr4("10.0.0.128/28"), kind: "explicit" })).toThrow("overlaps");
    expect(() => subnet.reserve({ cidr: parseCidr4("10.0.0.0/23"), kind: "explicit" })).toThrow("a part of");
    expect(() => subnet.unreserve(parseCidr4("10.0.0.0/28"))).toThrow("cannot lift");
  });
});

type Step =
  | { kind: "random" | "lowest" | "block" | "low-block" | "release" | "release-block"; pick: number }
  | { kind: "take"; pick: number };

test("any walk agrees with a plain set of addresses", () => {
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom("random", "lowest", "block", "low-block", "release", "release-block", "take"),
    pick: fc.nat(1023),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 120 }), fc.nat(), (steps, seed) => {
      const subnet = space("10.9.0.0/25");
      const random = seededRandom(seed);
      const singles: Ipv4[] = [];
      const blocks: Cidr4[] = [];
      for (const { kind, pick } of steps) {
        if (kind === "random" || kind === "lowest") {
          const address = subnet.takeAny(kind === "random" ? random : "lowest");
          if (address !== undefined) singles.push(address);
        } else if (kind === "take") {
          const address = ipv4(subnet.cidr.base + (pick % 128));
          if (subnet.isFree(address)) {
            subnet.take(address);
            singles.push(address);
          }
        } else if (kind === "block" || kind === "low-block") {
          const block = subnet.takeBlock28(kind === "block" ? random : "lowest");
          if (block !== undefined) blocks.push(block);
        } else if (kind === "release" && singles.length > 0) {
          for (const address of singles.splice(pick % singles.length, 1)) subnet.release(address);
        } else if (kind === "release-block" && blocks.length > 0) {
          for (const block of blocks.splice(pick % blocks.length, 1)) subnet.releaseBlock28(block);
        }
      }
      const used = new Set<number>(singles);
      for (const block of blocks) for (let index = 0; index < 16; index++) used.add(block.base + index);
      expect(used.size).toBe(singles.length + 16 * blocks.length);
      expect(subnet.usedCount).toBe(used.size);
      expect(subnet.freeCount).toBe(123 - used.size);
      for (const address of used) expect(subnet.isFree(ipv4(address))).toBe(false);
      expect(subnet.freeBlocks28().length).toBe(subnet.freeBlocks28Count);
      const copy = subnet.clone();
      while (copy.takeLowest() !== undefined);
      expect([copy.freeCount, copy.freeBlocks28Count, subnet.usedCount]).toEqual([0, 0, used.size]);
    }),
    { numRuns: 100 },
  );
});
