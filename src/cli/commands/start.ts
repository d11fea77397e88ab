import type { Command } from "commander";
import { hasCode } from "../../base/error.ts";
import { deployments } from "../../kube/resources.ts";
import { labPaths } from "../../lab/paths.ts";
import { verifyLab } from "../../lab/verify/verify.ts";
import { Interrupt, statusOfSignal } from "../interrupt.ts";
import { connectToLab } from "../lab-connection.ts";
import { type LabFlags, withLabFlags } from "../lab-flags.ts";
import { labName } from "../lab-name.ts";
import { printAnswer, printLine } from "../output.ts";
import { Progress } from "../progress.ts";
import { waitForDeployment } from "../readiness.ts";
import { verificationView } from "../views/verification.ts";
import { takeDown } from "./down.ts";
import { showKind } from "./get.ts";
import { deploymentOf } from "./run.ts";
import { bring, planLab } from "./up.ts";

const demoPods = 12;

export function addStart(program: Command): void {
  withLabFlags(program.command("start"))
    .description("The whole story: bring a lab up, run twelve pods, verify the network, show the tables")
    .option("--once", "take it all down again at the end")
    .addHelpText(
      "after",
      "\nExamples:\n  npm start\n  npm start -- --once\n  npm start -- --nodes 5 --zones 3",
    )
    .action(async (flags: LabFlags & { readonly once?: boolean }, command: Command) => {
      const paths = labPaths(labName(command));
      const plan = await planLab(paths, flags);
      using interrupt = new Interrupt();
      let ours = true;
      let signal: NodeJS.Signals | undefined;
      try {
        await bring(paths, plan).catch((error: unknown) => {
          // Another command was faster: the lab is not for this one to take down.
          ours = !hasCode(error, "already_exists");
          throw error;
        });
        const told = await Promise.race([tellStory(paths.name), interrupt.signal]);
        if (typeof told === "string") signal = told;
        else if (!told) process.exitCode = 1;
      } finally {
        if (flags.once && ours) await takeDown(paths);
      }
      if (signal !== undefined) process.exit(statusOfSignal(signal));
      if (!flags.once) printHints();
    });
}

/** Runs the pods, shows the tables and checks the network; true when the network model holds. */
async function tellStory(name: string): Promise<boolean> {
  const lab = await connectToLab(name);
  const progress = new Progress();
  await progress.step(`${demoPods} pods are Ready`, async () => {
    await lab.kube
      .create(deployments, deploymentOf("web", { replicas: demoPods, namespace: "default" }))
      .catch((error: unknown) => {
        // A lab that is taken over has them.
        if (!hasCode(error, "already_exists")) throw error;
      });
    await waitForDeployment(lab.kube, "web", "default");
  });
  const results = await progress.step(
    "the Kubernetes network model is verified",
    async () => verifyLab(lab.status, lab.kube, await lab.ec2()),
    (all) => `${all.filter(({ ok }) => ok).length} of ${all.length} probes passed`,
  );
  for (const kind of ["clusters", "vpcs", "subnets", "network-interfaces", "nodes", "pods"]) {
    printLine(`\n# eniverse get ${kind}`);
    await showKind(lab, kind);
  }
  printLine("\n# eniverse verify");
  printAnswer(verificationView(results), "table");
  return results.every(({ ok }) => ok);
}

function printHints(): void {
  printLine(`
The lab is up. Try next:
  npx eniverse get addresses                    every address, and what it is doing
  eval "$(npx eniverse env)"                    then kubectl and aws speak to the lab
  kubectl set env ds aws-node -n kube-system WARM_IP_TARGET=2
  npx eniverse scale web --replicas 40          watch ENIs come
  npx eniverse down                             take it all away`);
}
