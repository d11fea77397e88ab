import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { podSandboxes } from "../../lab/pod-netns.ts";
import { connectToLab, type LabConnection } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { commandOf, runInNode } from "./node.ts";

export function addExec(program: Command): void {
  program
    .command("exec")
    .description("Run a command in a pod: in its network namespace, with its node's files")
    .argument("<pod>", "its name, or the start of it")
    .argument("[command...]", "what to run; after --; a shell when absent")
    .option("-n, --namespace <namespace>", "where the pod is", "default")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Examples:
  eniverse exec web-7d4b9c5f6-x2x9p -- ip route
  eniverse exec web- -- ping -c 1 10.0.32.17`,
    )
    .action(
      async (
        name: string,
        words: readonly string[],
        flags: { readonly namespace: string },
        command: Command,
      ) => {
        const lab = await connectToLab(labName(command));
        const { machine, netns } = findPod(lab, name, flags.namespace);
        const given = commandOf(words);
        const argv = given.length > 0 ? given : ["bash"];
        const inside = netns === undefined ? [] : ["nsenter", `--net=${netns}`, "--"];
        process.exitCode = await runInNode(machine, [...inside, ...argv]);
      },
    );
}

/** The node of a pod and the path of its namespace inside that node; a prefix that fits several takes the first. */
function findPod(lab: LabConnection, name: string, namespace: string) {
  const all = lab.status.machines.flatMap((machine) =>
    podSandboxes(machine).map((sandbox) => ({ machine, sandbox })),
  );
  const ofNamespace = all.filter(({ sandbox }) => sandbox.namespace === namespace);
  const found =
    ofNamespace.find(({ sandbox }) => sandbox.name === name) ??
    ofNamespace.find(({ sandbox }) => sandbox.name.startsWith(name));
  if (found === undefined) {
    throw new EniverseError("not_found", {
      attempted: `find the pod ${namespace}/${name}`,
      found: "no node has a sandbox of that name",
      wanted: `one of ${ofNamespace.map(({ sandbox }) => sandbox.name).join(", ") || "(none in this namespace)"}`,
    });
  }
  const root = `/proc/${found.machine.initPid}/root`;
  return { machine: found.machine, netns: found.sandbox.netns?.slice(root.length) };
}
