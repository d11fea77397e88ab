import { expect, test } from "bun:test";
import { atLeast, atMost, goalsTable, rounded } from "./report.ts";

test("goals say whether they are met, and what was not measured is not", () => {
  const goals = [atMost("time", 2, 2, "s"), atLeast("share", 0.8, 0.9, "×")];
  expect(goalsTable(goals, ["pods"]).rows).toEqual([
    ["time", "2 s", "at most 2 s", "yes"],
    ["share", "0.8 ×", "at least 0.9 ×", "NO"],
    ["section pods", "not measured", "an end without an error", "NO"],
  ]);
});

test("numbers have three digits and no exponent", () => {
  expect([0, 0.000_123_4, 12.345, 1234.5].map(rounded)).toEqual(["0", "0.000123", "12.3", "1235"]);
});
