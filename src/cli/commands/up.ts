import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { followSteps, type LabStatus, labStatus } from "../../lab/control.ts";
import { launchLab, runningLab, storedConfig } from "../../lab/launch.ts";
import { type LabPaths, labPaths } from "../../lab/paths.ts";
import { prepareMachine } from "../../lab/requirements.ts";
import { connectToLab } from "../lab-connection.ts";
import { type LabFlags, labConfigOf, withLabFlags } from "../lab-flags.ts";
import { labName } from "../lab-name.ts";
import { printLine } from "../output.ts";
import { Progress } from "../progress.ts";
import { waitForNodes } from "../readiness.ts";
import { takeDown } from "./down.ts";

export function addUp(program: Command): void {
  withLabFlags(program.command("up"))
    .description("Bring a cluster up: VPC, EC2 and EKS endpoints, control plane, nodes")
    .option("--detach", "return when the nodes are ready; without it Ctrl-C takes the lab down")
    .addHelpText(
      "after",
      `
Examples:
  eniverse up --detach
  eniverse up --nodes 5 --zones 3 --instance-type c5.xlarge --detach
  eniverse up --ipv6 --detach
  eniverse up --set WARM_IP_TARGET=2 --set MINIMUM_IP_TARGET=10 --detach
  eniverse up --config lab.yaml --name staging --detach`,
    )
    .action(async (flags: LabFlags & { readonly detach?: boolean }, command: Command) => {
      const paths = labPaths(labName(command));
      await bringUp(paths, flags);
      if (flags.detach) {
        printLine(`The lab ${paths.name} is up. Next: eval "$(npx eniverse env)"; kubectl get nodes -o wide`);
        return;
      }
      printLine(`The lab ${paths.name} is up; Ctrl-C takes it down.`);
      await interrupted();
      await takeDown(paths);
    });
}

/** Brings the lab up with progress on standard error, and waits until its nodes are ready. */
export async function bringUp(paths: LabPaths, flags: LabFlags): Promise<LabStatus> {
  prepareMachine((line) => process.stderr.write(`${line}\n`));
  const stored = storedConfig(paths);
  const takeOver = stored !== undefined && runningLab(paths) === undefined;
  const config = takeOver ? stored : labConfigOf(paths.name, flags);
  const progress = new Progress();
  if (takeOver) process.stderr.write(`Taking over the lab ${paths.name}, whose process had ended:\n`);
  await launchLab(paths, config);
  for await (const step of followSteps(paths)) progress.tell(step);
  const status = await labStatus(paths);
  if (status.phase !== "ready") {
    throw new EniverseError("unavailable", {
      attempted: `bring up the lab ${paths.name}`,
      found: status.error ?? `it is ${status.phase}`,
      fix: `Its log: ${paths.log}. Take it away with: eniverse down --name ${paths.name}`,
    });
  }
  const wanted = config.nodeGroups.reduce((sum, group) => sum + group.count, 0);
  const { kube } = await connectToLab(paths.name);
  await progress.step(`${wanted} nodes are Ready`, () => waitForNodes(kube, wanted));
  return status;
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    process.once("SIGINT", () => resolve());
    process.once("SIGTERM", () => resolve());
  });
}
