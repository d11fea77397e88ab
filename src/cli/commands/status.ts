import type { Command } from "commander";
import { type LabStatus, labStatus } from "../../lab/control.ts";
import { labNames, labPaths } from "../../lab/paths.ts";
import { type Answer, outputFormat, printAnswer } from "../output.ts";
import { formatAge } from "../table.ts";

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("Show every lab of this machine, with its endpoints")
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .addHelpText("after", "\nExamples:\n  eniverse status\n  eniverse status -o json")
    .action(async (flags: { readonly output: "table" | "wide" | "json" | "yaml" }) => {
      const statuses = await Promise.all(labNames().map((name) => statusOf(name)));
      printAnswer(statusView(statuses, Date.now()), flags.output);
    });
}

/** A lab whose process does not answer has only its name. */
interface DeadLab {
  readonly name: string;
  readonly phase: "not running";
}

async function statusOf(name: string): Promise<LabStatus | DeadLab> {
  try {
    return await labStatus(labPaths(name));
  } catch {
    return { name, phase: "not running" };
  }
}

function statusView(labs: readonly (LabStatus | DeadLab)[], now: number): Answer {
  const columns = ["Lab", "State", "Age", "Nodes", "AWS endpoint", "Kubernetes"];
  const row = (lab: LabStatus | DeadLab): string[] =>
    lab.phase === "not running"
      ? [lab.name, lab.phase, "-", "-", "-", "-"]
      : [
          lab.name,
          lab.phase,
          formatAge(now - Date.parse(lab.startedAt)),
          String(lab.machines.length),
          lab.endpoints?.aws ?? "-",
          lab.endpoints?.kubernetes ?? "-",
        ];
  const dead = labs.some(({ phase }) => phase === "not running");
  const footers = dead ? ["* A lab that is not running is taken over by `up` and removed by `down`"] : [];
  return {
    value: labs,
    table: { columns, rows: labs.map(row), footers },
    wide: {
      columns: [...columns, "Process", "Error"],
      rows: labs.map((lab) => [
        ...row(lab),
        lab.phase === "not running" ? "-" : String(lab.pid),
        lab.phase === "not running" ? "-" : (lab.error ?? "-"),
      ]),
      footers,
    },
  };
}
