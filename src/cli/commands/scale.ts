import type { Command } from "commander";
import { deployments } from "../../kube/resources.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { printLine } from "../output.ts";
import { Progress } from "../progress.ts";
import { waitForDeployment } from "../readiness.ts";
import { wholeNumber } from "../whole-number.ts";

export function addScale(program: Command): void {
  program
    .command("scale")
    .description("Change the number of pods of a Deployment")
    .argument("<name>", "name of the Deployment")
    .requiredOption("--replicas <n>", "how many pods", wholeNumber)
    .option("-n, --namespace <namespace>", "where it is", "default")
    .option("--no-wait", "do not wait until the pods are Ready")
    .addHelpText("after", "\nExamples:\n  eniverse scale web --replicas 30")
    .action(
      async (
        name: string,
        flags: { readonly replicas: number; readonly namespace: string; readonly wait: boolean },
        command: Command,
      ) => {
        const lab = await connectToLab(labName(command));
        const { namespace, replicas } = flags;
        await lab.kube.patch(deployments, name, { spec: { replicas } }, { namespace });
        printLine(`deployment.apps/${name} scaled`);
        if (!flags.wait) return;
        await new Progress().step(`${replicas} pods are Ready`, () =>
          waitForDeployment(lab.kube, name, namespace),
        );
      },
    );
}
