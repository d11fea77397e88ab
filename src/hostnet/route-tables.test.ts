import { describe, expect, test } from "bun:test";
import { parseCidr } from "../addr/cidr.ts";
import { parseIpv4 } from "../addr/ipv4.ts";
import type { Rule } from "../linux/rtnetlink/values.ts";
import { chooseEniTable, eniRouteTable, oldEniRouteTable, podRouteTable } from "./route-tables.ts";

describe("routing tables of ENIs (S44)", () => {
  test.each([
    [0, 0, 254],
    [0, 1, 2],
    [0, 7, 8],
    [1, 0, 10100],
    [1, 1, 10101],
    [2, 3, 10203],
  ])("card %d device %d has table %d", (cardIndex, deviceIndex, table) => {
    expect(eniRouteTable({ cardIndex, deviceIndex })).toBe(table);
  });

  test("the old number of device 1 on card 1 with 8 ENIs a card is 10", () => {
    expect(oldEniRouteTable({ cardIndex: 1, deviceIndex: 1 }, 8)).toBe(10);
  });

  test("tables up to 1 stand for main", () => {
    expect([0, 1, 2, 254].map(podRouteTable)).toEqual([254, 254, 2, 254]);
  });

  const primary = parseIpv4("10.0.2.5");
  const slot = { cardIndex: 1, deviceIndex: 1 };
  const to = (table: number, from = "10.0.2.5/32"): Rule => ({
    family: 4,
    priority: 32765,
    from: parseCidr(from),
    action: "lookup",
    table,
    protocol: 3,
  });

  test.each([
    ["no rule", [], { table: 10101, ownRule: true }],
    ["a rule of another address", [to(7, "10.0.2.6/32")], { table: 10101, ownRule: true }],
    ["one rule", [to(77)], { table: 77, ownRule: false }],
    ["several, one of them old", [to(77), to(10)], { table: 10, ownRule: false }],
    ["several others", [to(77), to(78)], { table: 10101, ownRule: false }],
  ])("an ENI of card 1 with %s", (_, rules, choice) => {
    expect(chooseEniTable(slot, primary, rules, 8)).toEqual(choice);
    expect(chooseEniTable({ cardIndex: 0, deviceIndex: 1 }, primary, rules, 8)).toEqual({
      table: 2,
      ownRule: true,
    });
  });
});
