// Runs the gate and every test, and closes with "N passed, N failed". Arguments go to `bun test` (a path filter).
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { messageOf } from "../src/base/error.ts";
import { installDebianPackages } from "../src/lab/debian-packages.ts";

const filters = process.argv.slice(2);
const isRoot = process.getuid?.() === 0;
try {
  installDebianPackages("test", console.error);
} catch (error) {
  // Without root the tests that need these programs are skipped, and the closing lines say so.
  if (isRoot) throw error;
  console.error(messageOf(error));
}

const check =
  filters.length > 0
    ? { status: 0 }
    : spawnSync(process.execPath, ["scripts/check.ts"], { stdio: "inherit" });

const folder = mkdtempSync(join(tmpdir(), "eniverse-test-"));
const report = join(folder, "junit.xml");
const run = spawnSync(
  process.execPath,
  ["test", "--timeout", "180000", "--reporter=junit", `--reporter-outfile=${report}`, ...filters],
  { stdio: "inherit" },
);
const xml = readFileSync(report, "utf8");
rmSync(folder, { recursive: true });

const totals = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
const count = (name: string): number => Number(new RegExp(`${name}="(\\d+)"`).exec(totals)?.[1] ?? 0);
const failed = count("failures") + count("errors");
const skipped = count("skipped");
const passed = count("tests") - failed - skipped;

if (skipped > 0 && !isRoot)
  console.log(`${skipped} tests were skipped: they need root for network namespaces`);
const mustNotSkip = process.env.CI === "true" && isRoot && skipped > 0;
if (mustNotSkip) console.log(`FAIL: ${skipped} tests were skipped although this is CI with root`);
if (check.status !== 0) console.log("FAIL: the gate (format, lint, types)");
const bad =
  failed + (check.status === 0 ? 0 : 1) + (mustNotSkip ? 1 : 0) + (run.status !== 0 && failed === 0 ? 1 : 0);
console.log(`\n${passed} passed, ${bad} failed`);
process.exit(bad === 0 ? 0 : 1);
