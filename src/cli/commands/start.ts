import type { Command } from "commander";
import { deployments } from "../../kube/resources.ts";
import { labPaths } from "../../lab/paths.ts";
import { verifyLab } from "../../lab/verify/verify.ts";
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
import { bringUp } from "./up.ts";

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
      try {
        await bringUp(paths, flags);
        const healthy = await tellStory(paths.name);
        if (!healthy) process.exitCode = 1;
      } finally {
        if (flags.once) await takeDown(paths);
      }
      if (!flags.once) printHints();
    });
}

/** Runs the pods, shows the tables and checks the network; true when the network model holds. */
async function tellStory(name: string): Promise<boolean> {
  const lab = await connectToLab(name);
  const progress = new Progress();
  await progress.step(`${demoPods} pods are Ready`, async () => {
    await lab.kube.create(deployments, deploymentOf("web", { replicas: demoPods, namespace: "default" }));
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
