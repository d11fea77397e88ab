import { type Command, InvalidArgumentError } from "commander";
import { EniverseError } from "../../base/error.ts";
import { breakLab, standingFaults } from "../../lab/control.ts";
import { describeFault, type Fault, faultKinds } from "../../lab/faults/fault.ts";
import { connectToLab, type LabConnection } from "../lab-connection.ts";
import { labName } from "../lab-name.ts";
import { type OutputFormat, outputFormat, printAnswer, printLine } from "../output.ts";
import { faultsView } from "../views/faults.ts";
import { machineNamed } from "./node.ts";

interface ListFlags {
  readonly list?: boolean;
  readonly output: OutputFormat;
}

/** `eniverse break KIND …`: one subcommand per kind of fault. */
export function addBreak(program: Command): void {
  const parent = program
    .command("break")
    .description("Break something in the lab on purpose; `eniverse heal` puts it right")
    .option("--list", "what is broken now")
    .option("-o, --output <format>", "of --list: table, wide, json or yaml", outputFormat, "table")
    .addHelpText(
      "after",
      `
Faults last until they are healed, also over a restart of the lab process; a kill and a reboot are over at once.

Examples:
  eniverse break ec2 --throttle AttachNetworkInterface --rate 0.2
  eniverse break ec2 --error InsufficientCidrBlocks --action AssignPrivateIpAddresses --rate 0.5
  eniverse break attach --delay 30s
  eniverse break metadata --lag 10s
  eniverse break subnet private-a --fragment
  eniverse break ipamd ip-10-0-32-5 --keep-down
  eniverse break --list
  eniverse heal`,
    )
    .argument("[kind]", `what to break: ${faultKinds.join(", ")}`)
    .action(async (kind: string | undefined, flags: ListFlags, command: Command) => {
      if (kind !== undefined) {
        throw new EniverseError("invalid_argument", {
          attempted: `break ${kind}`,
          found: "no such kind of fault",
          wanted: `one of ${faultKinds.join(", ")}`,
        });
      }
      if (flags.list !== true) command.help({ error: true });
      const lab = await connectToLab(labName(command));
      printAnswer(faultsView(await standingFaults(lab.paths)), flags.output);
    });
  addEc2(parent);
  addAttach(parent);
  addMetadata(parent);
  addSubnet(parent);
  addIpamd(parent);
  addApiServer(parent);
  addNodeFault(parent);
  for (const command of parent.commands) command.exitOverride().option("--name <lab>", "which lab");
}

/** Breaks the lab and says what is broken now. */
async function carryOut(command: Command, faultOf: (lab: LabConnection) => Fault): Promise<void> {
  const lab = await connectToLab(labName(command));
  const fault = faultOf(lab);
  const standing = await breakLab(lab.paths, fault);
  if (standing === undefined) printLine(`done: ${describeFault(fault)}`);
  else printLine(`broken: ${describeFault(standing.fault)} (heal it with: eniverse heal ${standing.id})`);
}

interface Ec2Flags {
  readonly throttle?: string;
  readonly error?: string;
  readonly action?: string;
  readonly rate: number;
  readonly delay?: number;
  readonly times?: number;
}

function addEc2(parent: Command): void {
  parent
    .command("ec2")
    .description("Calls of EC2 are throttled, fail or take longer")
    .option("--throttle <action>", "answer RequestLimitExceeded to this action")
    .option("--error <code>", "the error code to answer with")
    .option("--action <action>", 'which calls; "*" stands for any text')
    .option("--rate <share>", "share of the calls, up to 1", share, 1)
    .option("--delay <time>", "answer so much later: 500ms, 2s", duration)
    .option("--times <n>", "over after so many calls", count)
    .addHelpText(
      "after",
      `
Examples:
  eniverse break ec2 --throttle AttachNetworkInterface --rate 0.2
  eniverse break ec2 --throttle '*' --rate 0.5
  eniverse break ec2 --error InsufficientCidrBlocks --action AssignPrivateIpAddresses --rate 0.5
  eniverse break ec2 --action 'Describe*' --delay 3s
  eniverse break ec2 --error UnauthorizedOperation --action CreateNetworkInterface --times 3`,
    )
    .action(async (flags: Ec2Flags, command: Command) => {
      await carryOut(command, () => ec2Fault(flags));
    });
}

function ec2Fault({ throttle, error, action, rate, delay, times }: Ec2Flags): Fault {
  const wanted =
    "--throttle ACTION, or --action ACTION with --error CODE, --delay TIME or both, but no two ways at once";
  const isThrottle = throttle !== undefined && error === undefined && action === undefined;
  const isOther = throttle === undefined && action !== undefined && (error ?? delay) !== undefined;
  if (!isThrottle && !isOther) {
    throw new EniverseError("invalid_argument", {
      attempted: "break ec2",
      found: "flags that name no fault",
      wanted,
    });
  }
  const code = isThrottle ? "RequestLimitExceeded" : error;
  return {
    kind: "ec2",
    action: throttle ?? action ?? "",
    rate,
    ...(code === undefined ? {} : { error: code }),
    ...(delay === undefined ? {} : { delayMs: delay }),
    ...(times === undefined ? {} : { times }),
  };
}

function addAttach(parent: Command): void {
  parent
    .command("attach")
    .description("A new ENI's device comes late, or attaching fails")
    .option("--delay <time>", "from the call until the device is there: 500ms, 30s", duration)
    .option("--fail-rate <share>", "share of the calls that fail", share)
    .addHelpText(
      "after",
      `
Examples:
  eniverse break attach --delay 30s
  eniverse break attach --fail-rate 0.5`,
    )
    .action(async (flags: { readonly delay?: number; readonly failRate?: number }, command: Command) => {
      await carryOut(command, () => ({
        kind: "attach",
        ...(flags.delay === undefined ? {} : { delayMs: flags.delay }),
        ...(flags.failRate === undefined ? {} : { failRate: flags.failRate }),
      }));
    });
}

interface MetadataFlags {
  readonly lag?: number;
  readonly leafLag?: number;
  readonly frozen?: boolean;
}

function addMetadata(parent: Command): void {
  parent
    .command("metadata")
    .alias("imds")
    .description("The metadata service follows EC2 late, or stands still")
    .option("--lag <time>", "how late: 500ms, 10s", duration)
    .option("--leaf-lag <time>", "how much later than its directory a new ENI's leaves come", duration)
    .option("--frozen", "goes on telling what is true now")
    .addHelpText(
      "after",
      `
Examples:
  eniverse break metadata --lag 10s
  eniverse break metadata --leaf-lag 3s
  eniverse break metadata --frozen`,
    )
    .action(async ({ lag, leafLag, frozen }: MetadataFlags, command: Command) => {
      await carryOut(command, () => ({
        kind: "metadata",
        ...(lag === undefined ? {} : { lagMs: lag }),
        ...(leafLag === undefined ? {} : { leafLagMs: leafLag }),
        ...(frozen === true ? { frozen } : {}),
      }));
    });
}

function addSubnet(parent: Command): void {
  parent
    .command("subnet")
    .description("Interfaces of others fill a subnet or leave no prefix in it")
    .argument("<subnet>", "its name or its id")
    .option("--fill <percent>", "until so many of its addresses are in use: 95%, 0.95", percentage)
    .option("--fragment", "one address in every free /28")
    .addHelpText(
      "after",
      `
Examples:
  eniverse break subnet private-a --fill 99%
  eniverse break subnet private-a --fragment
  eniverse heal subnet`,
    )
    .action(
      async (
        subnet: string,
        flags: { readonly fill?: number; readonly fragment?: boolean },
        command: Command,
      ) => {
        await carryOut(command, () => ({
          kind: "subnet",
          subnet,
          ...(flags.fill === undefined ? {} : { filled: flags.fill }),
          ...(flags.fragment === true ? { fragmented: true } : {}),
        }));
      },
    );
}

function addIpamd(parent: Command): void {
  parent
    .command("ipamd")
    .description("Kill ipamd with SIGKILL")
    .argument("[node]", "its name, the start of it, its address or its instance id; every node when absent")
    .option("--keep-down", "kill it whenever it comes up, until healed")
    .addHelpText(
      "after",
      `
Examples:
  eniverse break ipamd
  eniverse break ipamd ip-10-0-32-5 --keep-down`,
    )
    .action(async (node: string | undefined, flags: { readonly keepDown?: boolean }, command: Command) => {
      await carryOut(command, ({ status }) => ({
        kind: "ipamd",
        keepDown: flags.keepDown === true,
        ...(node === undefined ? {} : { instanceId: machineNamed(status.machines, node).instanceId }),
      }));
    });
}

function addApiServer(parent: Command): void {
  parent
    .command("api-server")
    .description("The API server does not answer inside the VPC; kubectl on this machine still reaches it")
    .addHelpText("after", "\nExamples:\n  eniverse break api-server\n  eniverse heal api-server")
    .action(async (_flags: unknown, command: Command) => {
      await carryOut(command, () => ({ kind: "api-server" }));
    });
}

function addNodeFault(parent: Command): void {
  parent
    .command("node")
    .description("A node is cut off from the VPC, or rebooted")
    .argument("<node>", "its name, the start of it, its address or its instance id")
    .option("--cut-off", "the VPC drops every packet from and to it")
    .option("--reboot", "ends every process of it and starts it again")
    .addHelpText(
      "after",
      `
Examples:
  eniverse break node ip-10-0-32-5 --cut-off
  eniverse break node ip-10-0-32-5 --reboot`,
    )
    .action(
      async (
        node: string,
        flags: { readonly cutOff?: boolean; readonly reboot?: boolean },
        command: Command,
      ) => {
        if ((flags.cutOff === true) === (flags.reboot === true)) {
          throw new EniverseError("invalid_argument", {
            attempted: "break a node",
            wanted: "either --cut-off or --reboot",
          });
        }
        await carryOut(command, ({ status }) => ({
          kind: "node",
          instanceId: machineNamed(status.machines, node).instanceId,
          how: flags.reboot === true ? "reboot" : "cut-off",
        }));
      },
    );
}

function share(text: string): number {
  const value = Number(text);
  if (text !== "" && value > 0 && value <= 1) return value;
  throw new InvalidArgumentError("wanted: a share above 0 and up to 1, such as 0.2");
}

function percentage(text: string): number {
  const value = text.endsWith("%") ? Number(text.slice(0, -1)) / 100 : Number(text);
  if (/\d/.test(text) && value > 0 && value <= 1) return value;
  throw new InvalidArgumentError("wanted: 1% to 100%, or a share such as 0.95");
}

function count(text: string): number {
  if (/^[1-9]\d*$/.test(text)) return Number(text);
  throw new InvalidArgumentError("wanted: a whole number above 0");
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000 };

/** Reads "500ms", "2s", "1.5m" as milliseconds. */
function duration(text: string): number {
  const [, number = "", unit = ""] = /^(\d+(?:\.\d+)?)(ms|s|m)$/.exec(text) ?? [];
  const scale = units[unit];
  if (scale === undefined) throw new InvalidArgumentError("wanted: a time such as 500ms, 2s or 1m");
  return Number(number) * scale;
}
