import { spawn } from "node:child_process";
import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import type { LabMachine } from "../../lab/control.ts";
import { connectToLab } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";

export function addNode(program: Command): void {
  program
    .command("node")
    .description("Run a command on a node, in all its namespaces, as over SSH on an EC2 node")
    .argument("<node>", "its name, the start of it, its address or its instance id")
    .argument("[command...]", "what to run; after --; a shell when absent")
    .passThroughOptions()
    .addHelpText(
      "after",
      `
Examples:
  eniverse node ip-10-0-32-5 -- ip a
  eniverse node 10.0.32.5 -- ip rule
  eniverse node ip-10-0-32-5 -- cat /etc/cni/net.d/10-aws.conflist
  eniverse node ip-10-0-32-5 -- ls /opt/cni/bin
  eniverse node ip-10-0-32-5 -- curl -s 127.0.0.1:61679/v1/enis`,
    )
    .action(async (name: string, words: readonly string[], _flags: unknown, command: Command) => {
      const { status } = await connectToLab(labName(command));
      const machine = machineNamed(status.machines, name);
      process.exitCode = await runInNode(machine, commandOf(words));
    });
}

/** The one machine that `name` means; throws `not_found` with the names that there are. */
export function machineNamed(machines: readonly LabMachine[], name: string): LabMachine {
  const exact = machines.filter((m) => m.nodeName === name || m.instanceId === name || m.address === name);
  const matches = exact.length > 0 ? exact : machines.filter((machine) => machine.nodeName.startsWith(name));
  const [machine, ...others] = matches;
  if (machine !== undefined && others.length === 0) return machine;
  throw new EniverseError("not_found", {
    attempted: `find the node ${name}`,
    found: machine === undefined ? "none of that name" : `${matches.length} nodes whose names start so`,
    wanted: `one of ${machines.map(({ nodeName }) => nodeName.split(".")[0]).join(", ") || "(the lab has no nodes)"}`,
  });
}

/** The words after `--`, which commander hands over with the rest. */
export function commandOf(words: readonly string[]): readonly string[] {
  return words[0] === "--" ? words.slice(1) : words;
}

/** Runs a program in the node with this terminal; resolves with its exit status. */
export function runInNode(machine: LabMachine, words: readonly string[]): Promise<number> {
  const argv = words.length > 0 ? words : ["bash"];
  const child = spawn("nsenter", ["--target", String(machine.initPid), "--all", "--", ...argv], {
    stdio: "inherit",
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      HOME: "/root",
      TERM: process.env.TERM ?? "dumb",
    },
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", (code) => resolve(code ?? 1));
  });
}
