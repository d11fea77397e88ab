import type { Command } from "commander";
import { deployments, pods } from "../../kube/resources.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { printLine } from "../output.ts";

export function addDelete(program: Command): void {
  program
    .command("delete")
    .description("Delete a Deployment with its pods, or one pod")
    .argument("<name>", "name of the Deployment, or pod/NAME")
    .option("-n, --namespace <namespace>", "where it is", "default")
    .addHelpText("after", "\nExamples:\n  eniverse delete web\n  eniverse delete pod/web-7d4b9c5f6-x2x9p")
    .action(async (name: string, flags: { readonly namespace: string }, command: Command) => {
      const lab = await connectToLab(labName(command));
      const [kind, own] = name.includes("/")
        ? (name.split("/", 2) as [string, string])
        : ["deployment", name];
      if (kind.startsWith("po")) {
        await lab.kube.delete(pods, own, flags);
        printLine(`pod "${own}" deleted`);
        return;
      }
      await lab.kube.delete(deployments, own, flags);
      printLine(`deployment.apps "${own}" deleted`);
    });
}
