import { expect, test } from "bun:test";
import { formatAge, renderTable } from "./table.ts";

test("a table has rules, centred headers, numbers to the right", () => {
  const text = renderTable({
    columns: ["Id", "Zone", "IPv4 CIDR", "Free"],
    rows: [
      ["subnet-0a1b2c3d4e5f60718", "us-west-2a", "10.0.32.0/19", "8174"],
      ["subnet-0a1b2c3d4e5f60719", "us-west-2b", "10.0.64.0/19", "-"],
    ],
    footers: ["* Indicates Primary network interface"],
  });
  expect(text).toBe(
    [
      "+--------------------------+------------+--------------+------+",
      "|            Id            |    Zone    |  IPv4 CIDR   | Free |",
      "+--------------------------+------------+--------------+------+",
      "| subnet-0a1b2c3d4e5f60718 | us-west-2a | 10.0.32.0/19 | 8174 |",
      "| subnet-0a1b2c3d4e5f60719 | us-west-2b | 10.0.64.0/19 | -    |",
      "+--------------------------+------------+--------------+------+",
      "* Indicates Primary network interface",
      "",
    ].join("\n"),
  );
});

test("long text wraps on words at 30 columns, and row lines part the rows", () => {
  const text = renderTable({
    columns: ["Id", "Description"],
    rows: [["sg-1", "EKS created security group applied to ENI"]],
    rowLines: true,
  });
  expect(text.split("\n").slice(3, 6)).toEqual([
    "| sg-1 | EKS created security group |",
    "|      | applied to ENI             |",
    "+------+----------------------------+",
  ]);
});

test("no rows, no header", () => {
  expect(renderTable({ columns: ["Id"], rows: [] })).toBe("No resources found.\n");
});

test("ages name the largest unit only", () => {
  expect([0, 999, 61_000, 3_600_000, 14 * 86_400_000, 800 * 86_400_000].map(formatAge)).toEqual([
    "0 seconds",
    "999 milliseconds",
    "1 minute",
    "1 hour",
    "2 weeks",
    "2 years",
  ]);
});
