import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { parseCidr4 } from "../addr/cidr.ts";
import { EniverseError, messageOf } from "../base/error.ts";
import type { LabConfig, LabShape } from "../lab/config.ts";
import { checkLabConfig } from "../lab/config-check.ts";
import { readLabConfig } from "../lab/config-file.ts";
import { layoutLab } from "../lab/layout.ts";
import { variables } from "../node/environment.ts";
import { wholeNumber } from "./whole-number.ts";

/** The flags of `up` and `start` that say what the lab is made of. */
export interface LabFlags {
  readonly nodes: number;
  readonly zones: number;
  readonly instanceType: string;
  readonly vpcCidr: string;
  readonly ipv6?: boolean;
  readonly config?: string;
  readonly set: readonly string[];
}

/** Adds the flags to a command. */
export function withLabFlags(command: Command): Command {
  return command
    .option("--nodes <n>", "worker nodes, 0 to 100", wholeNumber, 3)
    .option("--zones <n>", "availability zones, 2 to 6", wholeNumber, 2)
    .option("--instance-type <type>", "EC2 type of the nodes", "m5.large")
    .option("--vpc-cidr <cidr>", "primary block of the VPC", "10.0.0.0/16")
    .option("--ipv6", "an IPv6 cluster: pods and services have IPv6 addresses")
    .option("--config <file>", "a lab.yaml; see docs/lab-yaml.md")
    .option("--set <KEY=VALUE>", "environment of aws-node; may be repeated", collect, []);
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

/** The lab that the flags ask for, checked; throws `invalid_argument` before anything is made. */
export function labConfigOf(name: string, flags: LabFlags): LabConfig {
  const shape: LabShape = {
    nodes: flags.nodes,
    zones: flags.zones,
    instanceType: flags.instanceType,
    vpcCidr: parseCidr4(flags.vpcCidr),
    awsNodeEnv: Object.fromEntries(flags.set.map(parseSetting)),
    ...(flags.ipv6 ? { ipFamily: "ipv6" } : {}),
  };
  const config =
    flags.config === undefined
      ? layoutLab(name, shape)
      : readLabConfig(readConfig(flags.config), flags.config, name, shape);
  for (const [variable, value] of Object.entries(config.awsNode.env)) checkVariable(variable, value);
  checkLabConfig(config);
  return config;
}

function parseSetting(text: string): [string, string] {
  const equals = text.indexOf("=");
  if (equals < 1) {
    throw new EniverseError("invalid_argument", {
      attempted: "use --set",
      found: JSON.stringify(text),
      wanted: "KEY=VALUE, as WARM_IP_TARGET=5",
    });
  }
  return [text.slice(0, equals), text.slice(equals + 1)];
}

/** On a running node a bad value only falls back to the default; in a new lab it is a slip. */
function checkVariable(name: string, value: string): void {
  const known = Object.values(variables).find((variable) => variable.name === name);
  const attempted = `set ${name} on aws-node`;
  if (known === undefined) {
    // The SDK's own variables pass: they belong to the SDK inside ipamd.
    if (name.startsWith("AWS_")) return;
    throw new EniverseError("invalid_argument", {
      attempted,
      found: "no such variable",
      wanted: "a variable of the VPC CNI, as WARM_IP_TARGET; docs/environment.md lists them",
    });
  }
  const { problem } = known.parse(value);
  if (problem !== undefined) {
    throw new EniverseError("invalid_argument", { attempted, found: JSON.stringify(value), wanted: problem });
  }
}

function readConfig(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new EniverseError("not_found", { attempted: `read ${file}`, found: messageOf(cause), cause });
  }
}
