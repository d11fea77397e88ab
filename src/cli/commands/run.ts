import type { Command } from "commander";
import { type Deployment, deployments } from "../../kube/resources.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { printLine } from "../output.ts";
import { Progress } from "../progress.ts";
import { waitForDeployment } from "../readiness.ts";
import { wholeNumber } from "../whole-number.ts";

interface RunFlags {
  readonly replicas: number;
  readonly image?: string;
  readonly namespace: string;
  readonly wait: boolean;
}

/** What runs when nothing is said: answers on TCP, UDP and HTTP with who it is and whom it sees. */
const echoImage = "eniverse/echo";
/** What a given command runs on: the node's own programs. */
const shellImage = "debian";

export function addRun(program: Command): void {
  program
    .command("run")
    .description("Run pods: a Deployment of echo servers, or of a command of yours")
    .argument("<name>", "name of the Deployment")
    .argument("[command...]", "what each pod runs; after --")
    .option("--replicas <n>", "how many pods", wholeNumber, 1)
    .option("--image <image>", `${echoImage}, or ${shellImage} when a command is given`)
    .option("-n, --namespace <namespace>", "where to", "default")
    .option("--no-wait", "do not wait until the pods are Ready")
    .addHelpText(
      "after",
      `
Examples:
  eniverse run web --replicas 12
  eniverse run sleeper -- sleep infinity`,
    )
    .action(async (name: string, words: readonly string[], flags: RunFlags, command: Command) => {
      const lab = await connectToLab(labName(command));
      const deployment = deploymentOf(name, flags, words);
      await lab.kube.create(deployments, deployment);
      printLine(`deployment.apps/${name} created`);
      if (!flags.wait) return;
      await new Progress().step(`${flags.replicas} pods are Ready`, () =>
        waitForDeployment(lab.kube, name, flags.namespace),
      );
    });
}

/** The Deployment that `run` asks for. */
export function deploymentOf(
  name: string,
  flags: Pick<RunFlags, "replicas" | "image" | "namespace">,
  words: readonly string[] = [],
): Deployment {
  const labels = { app: name };
  const image = flags.image ?? (words.length > 0 ? shellImage : echoImage);
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name, namespace: flags.namespace, labels },
    spec: {
      replicas: flags.replicas,
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          containers: [{ name, image, ...(words.length > 0 ? { command: [...words] } : {}) }],
          terminationGracePeriodSeconds: 2,
        },
      },
    },
  };
}
