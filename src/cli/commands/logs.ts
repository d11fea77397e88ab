import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { type Pod, pods } from "../../kube/resources.ts";
import { readPodLogThroughKubelet } from "../../lab/pod-logs.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { wholeNumber } from "../whole-number.ts";

interface LogFlags {
  readonly namespace: string;
  readonly container?: string;
  readonly follow?: boolean;
  readonly previous?: boolean;
  readonly tail?: number;
}

export function addLogs(program: Command): void {
  program
    .command("logs")
    .description("Print the log of a pod's container")
    .argument("<pod>", "its name, or the start of it")
    .option("-n, --namespace <namespace>", "where the pod is", "default")
    .option("-c, --container <name>", "which container; the first when absent")
    .option("-f, --follow", "go on as it grows")
    .option("-p, --previous", "of the run before")
    .option("--tail <lines>", "only the last lines", wholeNumber)
    .addHelpText(
      "after",
      `
Examples:
  eniverse logs web-
  eniverse logs aws-node- -n kube-system -c aws-vpc-cni-init
  eniverse logs aws-node- -n kube-system -f --tail 20`,
    )
    .action(async (name: string, flags: LogFlags, command: Command) => {
      const lab = await connectToLab(labName(command));
      const pod = podNamed((await lab.kube.list(pods, { namespace: flags.namespace })).items, name);
      const names = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
        (container) => container.name,
      );
      const container = flags.container ?? pod.spec.containers[0]?.name ?? "";
      if (!names.includes(container)) {
        throw new EniverseError("invalid_argument", {
          attempted: `read the log of ${pod.metadata.name}`,
          found: `no container ${container}`,
          wanted: `one of ${names.join(", ")}`,
        });
      }
      const stream = await readPodLogThroughKubelet(
        lab.status.machines,
        { namespace: flags.namespace, name: pod.metadata.name, node: pod.spec.nodeName ?? "" },
        {
          container,
          follow: flags.follow ?? false,
          previous: flags.previous ?? false,
          timestamps: false,
          signal: new AbortController().signal,
          ...(flags.tail === undefined ? {} : { tailLines: flags.tail }),
        },
      );
      for await (const chunk of stream as unknown as AsyncIterable<Uint8Array>) process.stdout.write(chunk);
    });
}

function podNamed(items: readonly Pod[], name: string): Pod {
  const pod =
    items.find(({ metadata }) => metadata.name === name) ??
    items.find(({ metadata }) => metadata.name.startsWith(name));
  if (pod !== undefined) return pod;
  throw new EniverseError("not_found", {
    attempted: `find the pod ${name}`,
    found: "none of that name",
    wanted: `one of ${items.map(({ metadata }) => metadata.name).join(", ") || "(none in this namespace)"}`,
  });
}
