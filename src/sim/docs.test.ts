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

test("the program in docs/simulate.md runs", () => {
  const text = readFileSync(join(import.meta.dir, "../../docs/simulate.md"), "utf8");
  const program = /```ts\n([\s\S]*?)```/.exec(text)?.[1] ?? "";
  const here = program.replace('"eniverse/plan"', JSON.stringify(join(import.meta.dir, "index.ts")));
  expect(here).not.toBe(program);
  const run = Bun.spawnSync([process.execPath, "-e", here], { stdout: "pipe", stderr: "pipe" });
  expect({ status: run.exitCode, err: run.stderr.toString() }).toEqual({ status: 0, err: "" });
});
