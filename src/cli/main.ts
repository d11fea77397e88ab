/**
 * `cli/` is the `eniverse` command: one file per command in `commands/`, each of which adds itself to the program;
 * `views/` turn answers into tables. Errors are one line on standard error and a status that is not zero: 1 for
 * what failed, 2 for a command line that is wrong.
 */
import { Command, CommanderError } from "commander";
import { messageOf } from "../base/error.ts";
import { addBreak } from "./commands/break.ts";
import { addCheck } from "./commands/check.ts";
import { addDelete } from "./commands/delete.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addDown } from "./commands/down.ts";
import { addEnv } from "./commands/env.ts";
import { addExec } from "./commands/exec.ts";
import { addGet } from "./commands/get.ts";
import { addHeal } from "./commands/heal.ts";
import { addLogs } from "./commands/logs.ts";
import { addMaxPods } from "./commands/max-pods.ts";
import { addNode } from "./commands/node.ts";
import { addPlan } from "./commands/plan.ts";
import { addRun } from "./commands/run.ts";
import { addScale } from "./commands/scale.ts";
import { addSimulate } from "./commands/simulate.ts";
import { addStart } from "./commands/start.ts";
import { addStatus } from "./commands/status.ts";
import { addUp } from "./commands/up.ts";
import { addVerify } from "./commands/verify.ts";
import { addWhy } from "./commands/why.ts";

const program = new Command("eniverse")
  .description("EKS pod networking on one machine: a local VPC, EC2 and EKS, nodes, pods, real packets.")
  .option("--name <lab>", "which lab; several can live side by side", process.env.ENIVERSE_LAB ?? "eniverse")
  .showHelpAfterError('(try "eniverse help COMMAND")')
  .enablePositionalOptions()
  .exitOverride()
  .addHelpText(
    "after",
    `
Examples:
  eniverse up --detach                      a VPC in two zones, three m5.large nodes
  eniverse run web --replicas 12            twelve pods with addresses of the VPC
  eniverse get addresses                    whose every address is
  eniverse verify                           the Kubernetes network model, with real packets
  eval "$(eniverse env)"                    now kubectl and aws speak to the lab
  kubectl set env ds aws-node -n kube-system WARM_IP_TARGET=5
  eniverse down`,
  );

for (const add of [
  addStart,
  addUp,
  addDown,
  addStatus,
  addGet,
  addRun,
  addScale,
  addDelete,
  addExec,
  addNode,
  addLogs,
  addVerify,
  addCheck,
  addBreak,
  addHeal,
  addWhy,
  addDoctor,
  addEnv,
  addSimulate,
  addMaxPods,
  addPlan,
]) {
  add(program);
}
// exitOverride and --name are the program's; each command shares them.
for (const command of program.commands) {
  command.exitOverride();
  if (!command.options.some((option) => option.long === "--name"))
    command.option("--name <lab>", "which lab");
}

// `eniverse … | head` closes the pipe when it has seen enough.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});

try {
  await program.parseAsync(process.argv);
} catch (error) {
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(`eniverse: ${messageOf(error)}\n`);
  process.exit(1);
}
