import type { Command } from "commander";
import { healLab } from "../../lab/control.ts";
import { describeFault } from "../../lab/faults/fault.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { printLine } from "../output.ts";

export function addHeal(program: Command): void {
  program
    .command("heal")
    .description("End what `eniverse break` broke")
    .argument(
      "[which]",
      "a kind (ec2, attach, metadata, subnet, ipamd, api-server, node) or an id; all when absent",
    )
    .addHelpText(
      "after",
      `
Examples:
  eniverse heal                   everything
  eniverse heal subnet            what was done to subnets
  eniverse heal 3                 fault 3 of eniverse break --list`,
    )
    .action(async (which: string | undefined, _flags: unknown, command: Command) => {
      const lab = await connectToLab(labName(command));
      const healed = await healLab(lab.paths, which === "imds" ? "metadata" : which);
      for (const { fault } of healed) printLine(`healed: ${describeFault(fault)}`);
      if (healed.length === 0) printLine("nothing was broken");
    });
}
