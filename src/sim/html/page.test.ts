import { expect, test } from "bun:test";
import { completeScenario } from "../defaults.ts";
import { simulate } from "../simulate.ts";
import { htmlReport } from "./page.ts";

const report = simulate(
  completeScenario({
    name: "a<b & c",
    durationMs: 60_000,
    nodeGroups: [{ name: "n", count: 1, bootMs: 0 }],
    workloads: [{ kind: "burst", name: "web", atMs: 0, overMs: 30_000, pods: 12 }],
  }),
);

test("the report is one file: nothing is loaded from elsewhere, and names are escaped", () => {
  const html = htmlReport([report]);
  expect(html).not.toMatch(/(src|href)=|@import|url\(|<script/);
  expect(html).toContain("a&lt;b &amp; c");
  expect(html).not.toContain("a<b");
  expect(html.match(/<svg/g)?.length).toBe(html.match(/<\/svg>/g)?.length);
  expect(html).not.toContain("NaN");
  expect(html).not.toContain("undefined");
});

test("two runs stand side by side on the same axis", () => {
  const html = htmlReport([report, { ...report, scenario: "other" }]);
  expect(html).toContain("Pods that wait – other");
  expect(html).toContain('<body style="--runs: 2">');
  expect(html).toContain('<div class="runs">');
  expect(html.match(/<figure>/g)?.length).toBe(2 * (htmlReport([report]).match(/<figure>/g)?.length ?? 0));
});
