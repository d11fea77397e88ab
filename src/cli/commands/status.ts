import { existsSync, readFileSync } from "node:fs";
import type { Command } from "commander";
import { type LabStatus, labStatus } from "../../lab/control.ts";
import { lastWordsIn } from "../../lab/last-words.ts";
import { runningLab } from "../../lab/launch.ts";
import { type LabPaths, labNames, labPaths } from "../../lab/paths.ts";
import { noLab } from "../lab-connection.ts";
import { type Answer, type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { formatAge } from "../table.ts";

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("Show every lab of this machine, or that of --name, with its endpoints")
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .addHelpText("after", "\nExamples:\n  eniverse status\n  eniverse status --name staging -o json")
    .action(async (flags: { readonly output: OutputFormat }, command: Command) => {
      const all = labNames();
      const asked = askedName(command);
      if (asked !== undefined && !all.includes(labPaths(asked).name)) throw noLab(asked);
      const names = asked === undefined ? all : [asked];
      const statuses = await Promise.all(names.map((name) => statusOf(name)));
      printAnswer(statusView(statuses, Date.now()), flags.output);
    });
}

/** The lab that --name asks for, before or behind the command; undefined when only the default names one. */
function askedName(command: Command): string | undefined {
  const { name } = command.opts() as { readonly name?: string };
  const program = command.parent;
  if (name !== undefined || program?.getOptionValueSource("name") !== "cli") return name;
  return (program.opts() as { readonly name?: string }).name;
}

/** A lab whose process is gone, or does not answer; its nodes and pods go on without it. */
interface DeadLab {
  readonly name: string;
  readonly phase: "not running" | "not answering";
  /** What its log says of the end: "SIGKILL at 2026-01-01T00:00:00.000Z". */
  readonly ended?: string;
  readonly log: string;
  /** The command that helps. */
  readonly fix: string;
}

const answerLimitMs = 5_000;

async function statusOf(name: string): Promise<LabStatus | DeadLab> {
  const paths = labPaths(name);
  try {
    return await labStatus(paths, AbortSignal.timeout(answerLimitMs));
  } catch {
    // What the process itself cannot tell, its traces do.
    return deadLab(paths);
  }
}

function deadLab(paths: LabPaths): DeadLab {
  const { name, log } = paths;
  const process = runningLab(paths);
  if (process !== undefined) {
    const fix = `kill -9 ${process.pid}; eniverse up --name ${name} --detach`;
    return { name, phase: "not answering", log, fix };
  }
  const ended = existsSync(log) ? lastWordsIn(readFileSync(log, "utf8")) : undefined;
  const fix = `eniverse up --name ${name} --detach`;
  return { name, phase: "not running", ...(ended === undefined ? {} : { ended }), log, fix };
}

const isDead = (lab: LabStatus | DeadLab): lab is DeadLab =>
  lab.phase === "not running" || lab.phase === "not answering";

/** What a person is told of a lab that is not there, and what to do. */
export function deadLabWords({ name, phase, ended, log, fix }: DeadLab): string {
  const how = ended === undefined ? "" : ` (it ended by ${ended})`;
  return `* The process of the lab ${name} is ${phase}${how}; its nodes and pods go on. Take it over with: ${fix}. Its log: ${log}`;
}

function statusView(labs: readonly (LabStatus | DeadLab)[], now: number): Answer {
  const columns = ["Lab", "State", "Age", "Nodes", "AWS endpoint", "Kubernetes"];
  const row = (lab: LabStatus | DeadLab): string[] =>
    isDead(lab)
      ? [lab.name, lab.phase, "-", "-", "-", "-"]
      : [
          lab.name,
          lab.phase,
          formatAge(now - Date.parse(lab.startedAt)),
          String(lab.machines.length),
          lab.endpoints?.aws ?? "-",
          lab.endpoints?.kubernetes ?? "-",
        ];
  const footers = labs.filter(isDead).map(deadLabWords);
  return {
    value: labs,
    table: { columns, rows: labs.map(row), footers },
    wide: {
      columns: [...columns, "Process", "Error"],
      rows: labs.map((lab) => [
        ...row(lab),
        isDead(lab) ? "-" : String(lab.pid),
        (isDead(lab) ? lab.ended : lab.error) ?? "-",
      ]),
      footers,
    },
  };
}
