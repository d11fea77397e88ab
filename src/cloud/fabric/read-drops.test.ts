import { expect, test } from "bun:test";
import { parseIpv4 as ip } from "../../addr/ipv4.ts";
import { parseIpv6 } from "../../addr/ipv6.ts";
import { blackholeReason, hasTable, readDrops, setElements } from "./read-drops.ts";
import { eniB, spec } from "./test-spec.ts";

const counter = { packets: 2, bytes: 120 };
/** As `nft -j list ruleset` of nftables 1.0.6 prints them. */
const set = (table: string, name: string, elem: readonly unknown[]) => ({
  set: { family: "inet", table, name, elem },
});
const router = [
  { table: { family: "inet", name: "fabric", handle: 2 } },
  set("fabric", "unchecked", ["igw", "e-x"]),
  set("fabric", "spoofed", [
    { elem: { val: "e-bbbbbbbbbbbbb", counter } },
    { elem: { val: "e-gone", counter } },
  ]),
  set("sink", "lost4", [{ elem: { val: { concat: ["10.0.1.10", "10.0.7.7"] }, counter } }]),
  set("sink", "lost6", [{ elem: { val: { concat: ["2001:db8:1:1::b", "2001:db8:1::7"] }, counter } }]),
];
const edge = [
  set("igw", "no_public", [{ elem: { val: "10.0.0.13", counter } }]),
  set("igw", "refused6", [{ elem: { val: "2001:db8:1:1::b", counter } }]),
];

test("readDrops puts the counters into the words of the VPC", () => {
  expect(readDrops(spec, router, edge)).toEqual({
    sourceCheck: [
      { eniId: eniB.eniId, ...counter },
      { eniId: "e-gone", ...counter },
    ],
    noPublicAddress: [{ source: ip("10.0.0.13"), ...counter }],
    notFromInside: [{ destination: parseIpv6("2001:db8:1:1::b"), ...counter }],
    blackholed: [
      { source: ip("10.0.1.10"), destination: ip("10.0.7.7"), reason: "no-such-address", ...counter },
      {
        source: parseIpv6("2001:db8:1:1::b"),
        destination: parseIpv6("2001:db8:1::7"),
        reason: "no-such-address",
        ...counter,
      },
    ],
  });
});

test("readDrops finds nothing in empty rulesets", () => {
  expect(readDrops(spec, [], [])).toEqual({
    sourceCheck: [],
    noPublicAddress: [],
    notFromInside: [],
    blackholed: [],
  });
});

test("setElements and hasTable read the parts that a restart needs", () => {
  expect(setElements(router, "unchecked")).toEqual(["igw", "e-x"]);
  expect(setElements(router, "nothing")).toEqual([]);
  expect([hasTable(router, "fabric"), hasTable(router, "igw")]).toEqual([true, false]);
});

test.each([
  ["10.0.1.10", "10.0.99.1", "no-such-address"],
  ["10.0.1.10", "192.0.2.1", "blackhole-route"],
  // The NAT gateway's route, taken while the gateway is not there.
  ["10.0.1.10", "8.8.8.8", "blackhole-route"],
  ["10.0.9.9", "8.8.8.8", "no-route"],
] as const)("blackholeReason of %s to %s is %s", (source, destination, reason) => {
  expect(blackholeReason(spec, ip(source), ip(destination))).toBe(reason);
});
