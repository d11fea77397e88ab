import type { Command } from "commander";
import { verifyLab } from "../../lab/verify/verify.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { Progress } from "../progress.ts";
import { verificationMatrix, verificationView } from "../views/verification.ts";

export function addVerify(program: Command): void {
  program
    .command("verify")
    .description("Check the Kubernetes network model with real TCP, UDP and ICMP packets between all pairs")
    .option("-o, --output <format>", "table, wide (with the matrix), json or yaml", outputFormat, "table")
    .addHelpText(
      "after",
      `
Checked: pod to pod on one node and across nodes without NAT, node to pod, pod to node, pod to internet, and the
source address that the internet sees. The exit status is 1 when a probe failed.

Examples:
  eniverse verify
  eniverse verify -o wide`,
    )
    .action(async (flags: { readonly output: OutputFormat }, command: Command) => {
      const lab = await connectToLab(labName(command));
      const results = await new Progress().step(
        "packets between all pairs",
        async () => verifyLab(lab.status, lab.kube, await lab.ec2()),
        (all) => `${all.filter(({ ok }) => ok).length} of ${all.length} probes passed`,
      );
      if (flags.output === "table" || flags.output === "wide")
        process.stdout.write(verificationMatrix(results));
      printAnswer(verificationView(results), flags.output);
      if (results.some(({ ok }) => !ok)) process.exitCode = 1;
    });
}
