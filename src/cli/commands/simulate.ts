import { accessSync, constants, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import { EniverseError, messageOf } from "../../base/error.ts";
import { htmlReport } from "../../sim/html/page.ts";
import { type DriverName, type Report, readScenario, type Scenario, simulate } from "../../sim/index.ts";
import { type OutputFormat, outputFormat, printAnswer, printLine } from "../output.ts";
import { renderTable } from "../table.ts";
import { simulatedCalls, simulatedFailures, simulatedSubnets, simulationView } from "../views/simulation.ts";

interface Flags {
  readonly output: OutputFormat;
  readonly compare?: boolean;
  readonly html?: string;
  readonly seed?: number;
  readonly driver?: DriverName;
}

export function addSimulate(program: Command): void {
  program
    .command("simulate")
    .description("Play a cluster on a virtual clock: thousands of nodes, an hour in seconds")
    .argument("<scenario...>", "scenario files; see docs/simulate.md")
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .option("--compare", "two scenarios, or more, side by side")
    .option("--html <file>", "write a report with charts, one file that needs nothing else")
    .option("--seed <number>", "another seed than the scenario's", seedOf)
    .option("--driver <name>", "who decides on the nodes: eniverse or official", driverOf)
    .addHelpText(
      "after",
      `
The same scenario and seed give the same report. Needs neither root nor a network.

Examples:
  eniverse simulate scenarios/150-nodes-at-once.yaml
  eniverse simulate --compare scenarios/250-idle-pools.yaml scenarios/250-idle-pools-tuned.yaml --html report.html
  eniverse simulate scenarios/5000-nodes.yaml -o json`,
    )
    .action((files: readonly string[], flags: Flags) => {
      if (files.length > 1 && flags.compare !== true) {
        throw new EniverseError("invalid_argument", {
          attempted: "simulate",
          found: `${files.length} scenarios`,
          wanted: "one, or --compare with two or more",
        });
      }
      if (files.length < 2 && flags.compare === true) {
        throw new EniverseError("invalid_argument", {
          attempted: "compare",
          found: "one scenario",
          wanted: "two or more",
        });
      }
      // All are read before the first is played: a mistake must not cost the time of a run.
      if (flags.html !== undefined) checkWritable(flags.html);
      const scenarios = files.map((file) => withFlags(readFile(file), flags));
      const reports = scenarios.map(playWithProgress);
      if (flags.html !== undefined) {
        writeFileSync(flags.html, htmlReport(reports));
        process.stderr.write(`wrote ${flags.html}\n`);
      }
      print(reports, flags.output);
    });
}

function print(reports: readonly Report[], format: OutputFormat): void {
  printAnswer(simulationView(reports), format);
  const [only] = reports;
  if ((format !== "table" && format !== "wide") || only === undefined || reports.length > 1) return;
  printLine();
  process.stdout.write(renderTable(simulatedSubnets(only)));
  process.stdout.write(renderTable(simulatedCalls(only)));
  if (only.failures.length > 0) process.stdout.write(renderTable(simulatedFailures(only), { wrap: false }));
}

/** Refuses a file that could not be written, without making it. */
function checkWritable(file: string): void {
  try {
    if (existsSync(file)) accessSync(file, constants.W_OK);
    else accessSync(dirname(resolve(file)), constants.W_OK);
    if (existsSync(file) && !statSync(file).isFile()) throw new Error("it is not a file");
  } catch (cause) {
    throw new EniverseError("invalid_argument", {
      attempted: `write ${file}`,
      found: messageOf(cause),
      wanted: "a file in a folder that is there and may be written to",
      cause,
    });
  }
}

function withFlags(scenario: Scenario, { seed, driver }: Flags): Scenario {
  return {
    ...scenario,
    ...(seed === undefined ? {} : { seed }),
    ...(driver === undefined ? {} : { driver }),
  };
}

function readFile(file: string): Scenario {
  return readScenario(textOf(file), file, (path) => textOf(resolve(dirname(file), path)));
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    throw new EniverseError("not_found", { attempted: `read ${path}`, found: messageOf(cause), cause });
  }
}

/** Says on standard error how far a run is, once a second; short runs say nothing. */
function playWithProgress(scenario: Scenario): Report {
  const began = performance.now();
  let toldAt = began;
  const isTold = (): boolean => toldAt > began;
  const report = simulate(scenario, {
    onProgress: (share, events) => {
      const now = performance.now();
      if (now - toldAt < 1000) return;
      toldAt = now;
      process.stderr.write(
        `${scenario.name}: ${Math.round(share * 100)} %, ${events.toLocaleString("en-US")} events\n`,
      );
    },
  });
  if (isTold()) {
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    process.stderr.write(
      `${scenario.name}: ${report.events.toLocaleString("en-US")} events in ${seconds} s\n`,
    );
  }
  return report;
}

function seedOf(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new EniverseError("invalid_argument", {
    attempted: "use --seed",
    found: JSON.stringify(text),
    wanted: "a whole number",
  });
}

function driverOf(text: string): DriverName {
  if (text === "eniverse" || text === "official") return text;
  throw new EniverseError("invalid_argument", {
    attempted: "use --driver",
    found: JSON.stringify(text),
    wanted: "eniverse or official",
  });
}
