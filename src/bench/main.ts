/**
 * `bench/` measures what the project promises, peers side by side in the same run: `npm run bench`, or
 * `npm run bench -- --json FILE --only NAME,… --quick`. One file per subject; each brings up what it needs and
 * takes it away. Tables go to standard output, progress to standard error. Ends with 1 when a goal is not met.
 */
import { writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { Command } from "commander";
import { EniverseError, messageOf } from "../base/error.ts";
import { renderTable } from "../cli/table.ts";
import { prepareMachine } from "../lab/requirements.ts";
import { takeAllDown } from "./bench-lab.ts";
import { type Goal, goalsTable, type Section, type SectionReport } from "./report.ts";
import { sections } from "./sections.ts";
import { changedSources } from "./sources.ts";
import { describeMachine, thisMachine } from "./this-machine.ts";

interface Flags {
  readonly json?: string;
  readonly only?: string;
  readonly quick?: boolean;
}

/** The longest one takes three minutes on two cores. */
const longestSectionMs = 900_000;

const names = sections.map(({ name }) => name).join(", ");
const program = new Command("npm run bench --")
  .description("Measures eniverse on this machine, beside its peers, and says whether its goals are met.")
  .option("--json <file>", "write everything that was measured to a file")
  .option("--only <names>", `some subjects only, with commas between them: ${names}`)
  .option("--quick", "few repetitions: shows that everything works, with rough numbers")
  .showHelpAfterError()
  .addHelpText(
    "after",
    "\nExamples:\n  npm run bench\n  npm run bench -- --only cni,throughput --json bench.json",
  );

// A connection of a lab that is gone may fail when nobody waits for it any more: no reason to stop measuring.
process.on("unhandledRejection", (error) => {
  process.stderr.write(`bench: a promise failed unseen: ${messageOf(error)}\n`);
  process.exitCode = 1;
});
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => {
    process.stderr.write(`${signal}: taking down what was made\n`);
    void takeAllDown().finally(() => process.exit(130));
  });
}

try {
  program.parse();
  await main(program.opts<Flags>());
} catch (error) {
  process.stderr.write(`bench: ${messageOf(error)}\n`);
  process.exitCode = 1;
} finally {
  await takeAllDown();
}
// Clients of labs that are gone may still hold timers.
process.exit();

async function main(flags: Flags): Promise<void> {
  const chosen = chosenSections(flags.only);
  prepareMachine((line) => process.stderr.write(`${line}\n`));
  const machine = thisMachine();
  const effort = { quick: flags.quick === true };
  print(`Machine: ${describeMachine(machine)}`);
  if (effort.quick) print("Few repetitions (--quick): the numbers are rough.");
  const started = new Date();
  const reports = new Map<string, SectionReport>();
  const failures = new Map<string, string>();
  for (const [index, section] of chosen.entries()) {
    process.stderr.write(`[${index + 1}/${chosen.length}] ${section.title}\n`);
    const began = Date.now();
    try {
      const report = await withinLimit(section.run(effort));
      reports.set(section.name, report);
      print(`\n# ${section.title}\n${renderTable(report.table, { wrap: false })}${report.about}`);
    } catch (error) {
      failures.set(section.name, `${messageOf(error)}${editsSince(began)}`);
      print(`\n# ${section.title}\nnot measured: ${failures.get(section.name)}`);
      await takeAllDown().catch((left) => process.stderr.write(`bench: ${messageOf(left)}\n`));
    }
    process.stderr.write(`  took ${((Date.now() - began) / 1000).toFixed(1)} s${editsSince(began)}\n`);
  }
  const goals = [...reports.values()].flatMap((report) => report.goals);
  const summary = goalsTable(goals, [...failures.keys()]);
  if (summary.rows.length > 0) print(`\n# Goals\n${renderTable(summary, { wrap: false })}`);
  if (flags.json !== undefined)
    writeResults(flags.json, { machine, started, effort, goals, reports, failures });
  if (failures.size > 0 || goals.some(({ met }) => !met)) process.exitCode = 1;
}

/** A warning when sources were written meanwhile. */
function editsSince(began: number): string {
  const edited = changedSources(began);
  return edited.length === 0 ? "" : ` (meanwhile sources were changed: ${edited.join(", ")})`;
}

/** A section that hangs must not keep the others from being measured. */
async function withinLimit<T>(work: Promise<T>): Promise<T> {
  const timer = new AbortController();
  const late = pause(longestSectionMs, undefined, { signal: timer.signal }).then(() => {
    throw new EniverseError("timeout", {
      attempted: "measure",
      found: `no end after ${longestSectionMs / 60_000} minutes`,
    });
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    late.catch(() => {});
    timer.abort();
  }
}

/** Throws `invalid_argument` for names that there are not. */
function chosenSections(only: string | undefined): readonly Section[] {
  if (only === undefined) return sections;
  const wanted = only.split(",").map((name) => name.trim());
  const unknown = wanted.filter((name) => !sections.some((section) => section.name === name));
  if (unknown.length > 0) {
    throw new EniverseError("invalid_argument", {
      attempted: "use --only",
      found: unknown.join(", "),
      wanted: `some of ${names}`,
    });
  }
  return sections.filter(({ name }) => wanted.includes(name));
}

interface Results {
  readonly machine: unknown;
  readonly started: Date;
  readonly effort: unknown;
  readonly goals: readonly Goal[];
  readonly reports: ReadonlyMap<string, SectionReport>;
  readonly failures: ReadonlyMap<string, string>;
}

function writeResults(file: string, { started, reports, failures, ...results }: Results): void {
  const subjects = [...reports].map(([name, { about, raw }]) => [name, { about, raw }]);
  const text = JSON.stringify(
    {
      startedAt: started.toISOString(),
      ...results,
      failures: Object.fromEntries(failures),
      subjects: Object.fromEntries(subjects),
    },
    null,
    2,
  );
  writeFileSync(file, `${text}\n`);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
