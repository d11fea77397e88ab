// The one gate: format, lint and types. `node bin/run.mjs scripts/check.ts`.
import { spawnSync } from "node:child_process";

const steps: readonly (readonly [string, readonly string[]])[] = [
  ["format and lint", ["node_modules/.bin/biome", "check", "--error-on-warnings", "."]],
  ["types", ["node_modules/.bin/tsc", "-p", "tsconfig.json"]],
];

let failed = 0;
for (const [name, [program, ...args]] of steps) {
  const started = performance.now();
  const run = spawnSync(program ?? "", args, { stdio: "inherit" });
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${run.status === 0 ? "ok  " : "FAIL"} ${name} (${seconds} s)`);
  if (run.status !== 0) failed++;
}
process.exit(failed === 0 ? 0 : 1);
