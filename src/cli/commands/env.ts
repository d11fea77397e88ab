import { spawnSync } from "node:child_process";
import type { Command } from "commander";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { printLine } from "../output.ts";

export function addEnv(program: Command): void {
  program
    .command("env")
    .description("Print shell exports that point kubectl, aws and every AWS SDK at the lab")
    .addHelpText(
      "after",
      `
Examples:
  eval "$(eniverse env)"
  kubectl get pods -A -o wide
  aws ec2 describe-network-interfaces --output table`,
    )
    .action(async (_flags: unknown, command: Command) => {
      const { paths, endpoints } = await connectToLab(labName(command));
      const variables = {
        KUBECONFIG: paths.kubeconfig,
        AWS_ENDPOINT_URL: endpoints.aws,
        // Older command lines know only the endpoints of single services.
        AWS_ENDPOINT_URL_EC2: endpoints.aws,
        AWS_ENDPOINT_URL_EKS: endpoints.aws,
        AWS_ENDPOINT_URL_STS: endpoints.aws,
        AWS_ACCESS_KEY_ID: endpoints.accessKeyId,
        AWS_SECRET_ACCESS_KEY: endpoints.secretAccessKey,
        AWS_REGION: endpoints.region,
        AWS_DEFAULT_REGION: endpoints.region,
        ENIVERSE_LAB: paths.name,
      };
      for (const [name, value] of Object.entries(variables)) printLine(`export ${name}='${value}'`);
      if (!readsEndpointVariable(installedAwsCli())) {
        printLine("# This aws is too old to read AWS_ENDPOINT_URL; it gets the endpoint as an argument.");
        printLine(`aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }`);
      }
    });
}

/** What `aws --version` prints; undefined when there is no aws. */
function installedAwsCli(): string | undefined {
  if (Bun.which("aws") === null) return undefined;
  const { stdout, stderr } = spawnSync("aws", ["--version"], { encoding: "utf8" });
  return stdout || stderr;
}

/** AWS_ENDPOINT_URL is read since versions 1.29 and 2.13 of the AWS CLI (its change log, July 2023). */
export function readsEndpointVariable(version: string | undefined): boolean {
  const [, major, minor] = /aws-cli\/(\d+)\.(\d+)/.exec(version ?? "") ?? [];
  if (major === undefined) return true;
  return Number(minor) >= (major === "1" ? 29 : 13);
}
