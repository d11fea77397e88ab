import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readScenario } from "./scenario-file.ts";
import { simulate } from "./simulate.ts";

test("the scenario in docs/simulate.md can be played", () => {
  const text = readFileSync(join(import.meta.dir, "../../docs/simulate.md"), "utf8");
  const example = /```yaml\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
  const scenario = readScenario(example, "docs/simulate.md", () => "");
  expect(scenario.workloads).toHaveLength(3);
  expect(scenario.faults).toHaveLength(3);
  const report = simulate(scenario);
  expect(report.pods.served).toBeGreaterThan(100);
});
