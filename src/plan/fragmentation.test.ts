import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { cidr4Size, parseCidr4 } from "../addr/cidr.ts";
import { formatIpv4, ipv4 } from "../addr/ipv4.ts";
import { SubnetSpace } from "../addr/subnet-space.ts";
import { seededRandom } from "../base/random.ts";
import { planFragmentation } from "./fragmentation.ts";
import { expectedFreeBlocks, tryFreeBlocks, usableAddresses, useThatLeavesFewerThan } from "./free-blocks.ts";
import { findReservation } from "./reservation.ts";

const at = (bits: number, share: number): number =>
  expectedFreeBlocks(bits, Math.round(usableAddresses(bits) * share));

// Free /28 blocks expected at 10, 20, 30 and 50 % use, and the use at which less than one is.
test.each([
  [22, [11.5, 1.7, 0.2, 0], 23],
  [20, [46.9, 7.1, 0.8, 0], 29],
  [18, [189, 28.7, 3.4, 0.02], 35],
  [16, [758, 115, 13.6, 0.06], 41],
] as const)("a /%d fragments as published", (bits, blocks, percent) => {
  for (const [index, share] of [0.1, 0.2, 0.3, 0.5].entries()) {
    const wanted = blocks[index] ?? 0;
    expect(Math.abs(at(bits, share) - wanted)).toBeLessThanOrEqual(Math.max(wanted * 0.02, 0.06));
  }
  const share = useThatLeavesFewerThan(bits, 1) / usableAddresses(bits);
  expect(Math.round(share * 100)).toBe(percent);
});

test("a /20 has nearly no whole block left at 40 % use, by the formula and by trial", () => {
  const answer = planFragmentation({ cidr: "10.0.0.0/20", usedPercents: [30, 40], trials: 400, seed: 7 });
  const [thirty, forty] = answer.chance;
  expect(forty?.expectedBlocks).toBeCloseTo(0.07, 2);
  expect(forty?.chanceOfNone).toBeGreaterThan(0.9);
  expect(thirty?.chanceOfNone).toBeGreaterThan(0.36);
  expect(thirty?.chanceOfNone).toBeLessThan(0.52);
  expect(forty?.free).toBe(2455);
});

test("trials agree with the formula, and the same seed gives the same trials", () => {
  const cidr = parseCidr4("10.0.0.0/22");
  const uses = [100, 150, 200];
  const once = tryFreeBlocks(cidr, uses, 600, seededRandom(3));
  expect(tryFreeBlocks(cidr, uses, 600, seededRandom(3))).toEqual(once);
  for (const [index, use] of uses.entries()) {
    const expected = expectedFreeBlocks(22, use);
    // Four standard errors of the mean of 600 trials, the number of blocks taken as Poisson.
    const tolerance = 4 * Math.sqrt(expected / 600);
    expect(Math.abs((once[index]?.mean ?? 0) - expected)).toBeLessThan(tolerance);
  }
});

describe("a subnet as it is", () => {
  const everyTenth = (cidr: string): string[] => {
    const block = parseCidr4(cidr);
    return Array.from({ length: Math.floor(cidr4Size(block) / 10) - 1 }, (_, index) =>
      formatIpv4(ipv4(block.base + 10 * (index + 1))),
    );
  };

  test("650 addresses free and not one prefix: one address in each block is enough", () => {
    const answer = planFragmentation({ cidr: "10.0.0.0/22", used: everyTenth("10.0.0.0/22") });
    expect(answer.now).toMatchObject({ used: 101, free: 918, freeBlocks: 0 });
    expect(answer.verdict).toBe(
      "918 addresses free, 0 whole /28 blocks: the next prefix fails with InsufficientCidrBlocks",
    );
    expect(answer.now?.cheapest[0]?.addresses.length).toBe(1);
    expect(answer.reservation).toBeUndefined();
  });

  test("prefixes count as full blocks, and the ends never count", () => {
    const answer = planFragmentation({
      cidr: "10.0.0.0/24",
      used: ["10.0.0.16/28", "10.0.0.32"],
      wantedBlocks: 14,
    });
    expect(answer.now?.cells).toEqual([0, 16, 1, ...new Array<number>(13).fill(0)]);
    expect(answer.now?.freeBlocks).toBe(12);
    expect(answer.verdict).toContain("fails after 12 of the 14 prefixes");
  });

  test("the reservation is aligned, free and no larger than needed", () => {
    const answer = planFragmentation({ cidr: "10.0.0.0/24", used: ["10.0.0.70"], wantedBlocks: 4 });
    expect(answer.reservation).toEqual({ cidrs: ["10.0.0.128/26"], blocks: 4, inTheWay: [] });
    const apart = planFragmentation({
      cidr: "10.0.0.0/24",
      used: ["10.0.0.70", "10.0.0.140"],
      wantedBlocks: 4,
    });
    expect(apart.reservation).toEqual({ cidrs: ["10.0.0.32/27", "10.0.0.96/27"], blocks: 4, inTheWay: [] });
  });

  test("where no room is free it says what is in the way", () => {
    const answer = planFragmentation({
      cidr: "10.0.0.0/26",
      used: ["10.0.0.20", "10.0.0.40"],
      wantedBlocks: 2,
    });
    expect(answer.reservation).toEqual({
      cidrs: ["10.0.0.0/26"],
      blocks: 0,
      inTheWay: ["10.0.0.20", "10.0.0.40"],
    });
  });
});

test("a reservation found free gives its blocks to prefixes and to nothing else", () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.integer({ min: 0, max: 300 }),
      fc.integer({ min: 1, max: 40 }),
      (seed, uses, wanted) => {
        const random = seededRandom(seed);
        const space = new SubnetSpace(parseCidr4("10.0.0.0/21"));
        for (let use = 0; use < uses; use++) space.takeRandom(random);
        const found = findReservation(space, wanted);
        expect(found).toBeDefined();
        if (found === undefined || found.inTheWay.length > 0) return;
        expect(found.blocks).toBeGreaterThanOrEqual(wanted);
        for (const cidr of found.cidrs) space.reserve({ cidr: parseCidr4(cidr), kind: "prefix" });
        while (space.takeRandom(random) !== undefined);
        for (let block = 0; block < wanted; block++) expect(space.takeBlock28(random)).toBeDefined();
      },
    ),
    { numRuns: 60 },
  );
});

test("a /28 never gives a prefix", () => {
  expect(planFragmentation({ cidr: "10.0.0.0/28" }).verdict).toBe(
    "Prefix mode never works: the subnet cannot give 1 block",
  );
});

test("bad input names the field, the value and what is allowed", () => {
  const plan = (more: object) => () => planFragmentation({ cidr: "10.0.0.0/24", ...more });
  expect(() => planFragmentation({ cidr: "10.0.0.0/8" })).toThrow(
    'cidr: "10.0.0.0/8"; wanted an IPv4 block of /16 to /28',
  );
  expect(plan({ used: ["10.0.1.1"] })).toThrow('used: "10.0.1.1"; wanted an address of 10.0.0.0/24');
  expect(plan({ used: ["10.0.0.1"] })).toThrow("a free address of 10.0.0.0/24");
  expect(plan({ used: ["web"] })).toThrow("an IPv4 address or a /28 block");
  expect(plan({ usedPercents: [-1] })).toThrow("usedPercents: -1; wanted a number of 0 to 100");
  expect(plan({ wantedBlocks: 0 })).toThrow("wantedBlocks: 0; wanted a whole number of 1");
  expect(plan({ reservations: [{ cidr: "10.0.9.0/28", kind: "prefix" }] })).toThrow("a part of 10.0.0.0/24");
});
