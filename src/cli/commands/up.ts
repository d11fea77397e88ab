import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import type { LabConfig } from "../../lab/config.ts";
import { followSteps, type LabStatus, labStatus } from "../../lab/control.ts";
import { launchLab, refuseRunning, storedConfig } from "../../lab/launch.ts";
import { type LabPaths, labPaths } from "../../lab/paths.ts";
import { prepareMachine } from "../../lab/requirements.ts";
import { Interrupt, statusOfSignal } from "../interrupt.ts";
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
      using interrupt = new Interrupt();
      await bringUp(paths, flags);
      if (flags.detach) {
        printLine(`The lab ${paths.name} is up. Next: eval "$(npx eniverse env)"; kubectl get nodes -o wide`);
        return;
      }
      printLine(`The lab ${paths.name} is up; Ctrl-C takes it down.`);
      await interrupt.signal;
      await takeDown(paths);
    });
}

/**
 * Brings the lab up with progress on standard error, and waits until its nodes are ready. Interrupted meanwhile, it
 * takes a new lab down again and ends the process.
 */
export async function bringUp(paths: LabPaths, flags: LabFlags): Promise<LabStatus> {
  return await bring(paths, await planLab(paths, flags));
}

/** What `up` is about to do. */
export interface UpPlan {
  readonly config: LabConfig;
  /** A lab whose process has ended goes on with the configuration that it has. */
  readonly takeOver: boolean;
}

/** Throws, before anything is made, when the machine, the flags or a lab of that name that is up forbid it. */
export async function planLab(paths: LabPaths, flags: LabFlags): Promise<UpPlan> {
  prepareMachine((line) => process.stderr.write(`${line}\n`));
  await refuseRunning(paths);
  const stored = storedConfig(paths);
  return { config: stored ?? labConfigOf(paths.name, flags), takeOver: stored !== undefined };
}

/** Carries the plan out. */
export async function bring(paths: LabPaths, plan: UpPlan): Promise<LabStatus> {
  using interrupt = new Interrupt();
  const told = new AbortController();
  const launched = launchAndWait(paths, plan, told.signal);
  const ended = await Promise.race([launched, interrupt.signal]);
  if (typeof ended !== "string") return ended;
  // What it still runs into is no news: the lab is taken from under it.
  told.abort();
  launched.catch(() => undefined);
  if (!plan.takeOver) await takeDown(paths);
  process.exit(statusOfSignal(ended));
}

async function launchAndWait(
  paths: LabPaths,
  { config, takeOver }: UpPlan,
  quiet: AbortSignal,
): Promise<LabStatus> {
  const progress = new Progress();
  if (takeOver) process.stderr.write(`Taking over the lab ${paths.name}, whose process had ended:\n`);
  await launchLab(paths, config);
  for await (const step of followSteps(paths)) if (!quiet.aborted) progress.tell(step);
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
