import { type Command, InvalidArgumentError } from "commander";
import { checkLab } from "../../lab/check/check.ts";
import { standingFaults } from "../../lab/control.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { Progress } from "../progress.ts";
import { checkView } from "../views/check.ts";

interface Flags {
  readonly output: OutputFormat;
  readonly patience: number;
}

export function addCheck(program: Command): void {
  program
    .command("check")
    .description(
      "Compare all views of the lab (cloud, metadata, ipamd, kernel, Kubernetes) and tell what is broken",
    )
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .option("--patience <seconds>", "look again for so long at what is broken", patience, 5)
    .addHelpText(
      "after",
      `
What is broken because work is under way is not told: only what is broken in every look. The exit status is 1 when
an invariant is broken.

Examples:
  eniverse check
  eniverse check --patience 60              after a fault, until reconciliations have run
  eniverse check -o json | jq '.broken'`,
    )
    .action(async (flags: Flags, command: Command) => {
      const lab = await connectToLab(labName(command));
      const outcome = await new Progress().step(
        "all views are compared",
        () => checkLab(lab, { patienceMs: flags.patience * 1000 }),
        ({ broken }) => (broken.length === 0 ? "all invariants hold" : `${broken.length} broken`),
      );
      const faults = await standingFaults(lab.paths);
      printAnswer(checkView(outcome, faults), flags.output);
      if (outcome.broken.length > 0) process.exitCode = 1;
    });
}

function patience(text: string): number {
  const value = Number(text);
  if (text !== "" && value >= 0 && value <= 3600) return value;
  throw new InvalidArgumentError("wanted: seconds, 0 to 3600");
}
