import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { parseCidr4 } from "../../addr/cidr.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import { examine, fails } from "../../doctor/examine.ts";
import { type Exported, inputOf } from "../../doctor/read-json.ts";
import { inputOfLab } from "../../doctor/read-lab-file.ts";
import type { Input, Severity } from "../../doctor/rule.ts";
import { readLabConfig } from "../../lab/config-file.ts";
import type { VpcPlan } from "../../plan/vpc.ts";
import { labFileOf } from "../../plan/vpc-lab.ts";
import { exportLab } from "../lab-export.ts";
import { type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { jsonOf } from "../plan-sources.ts";
import { printExamination } from "../views/doctor.ts";

interface Flags {
  readonly lab?: boolean;
  readonly subnets?: string;
  readonly enis?: string;
  readonly nodes?: string;
  readonly pods?: string;
  readonly daemonsets?: string;
  readonly serviceAccount?: string;
  readonly eniconfigs?: string;
  readonly failOn: Severity;
  readonly output: OutputFormat;
}

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("Hold a lab, exported JSON, a plan or a lab.yaml against good practice; see docs/doctor.md")
    .argument("[file]", "a lab.yaml, or the JSON of `eniverse plan vpc -o json`")
    .option("--lab", "the running lab")
    .option("--subnets <file>", "JSON of aws ec2 describe-subnets")
    .option("--enis <file>", "JSON of aws ec2 describe-network-interfaces")
    .option("--nodes <file>", "JSON of kubectl get nodes -o json")
    .option("--pods <file>", "JSON of kubectl get pods -A -o json")
    .option("--daemonsets <file>", "JSON of kubectl get ds -A -o json, or of aws-node alone")
    .option("--service-account <file>", "JSON of kubectl get sa aws-node -n kube-system -o json")
    .option("--eniconfigs <file>", "JSON of kubectl get eniconfigs -o json")
    .option(
      "--fail-on <severity>",
      "from which severity on the exit status is 1: error, warning",
      severity,
      "error",
    )
    .option("-o, --output <format>", "table, wide, json or yaml", outputFormat, "table")
    .addHelpText(
      "after",
      `
Examples:
  eniverse doctor --lab
  eniverse doctor lab.yaml --fail-on warning
  eniverse doctor --subnets subnets.json --enis enis.json --nodes nodes.json --daemonsets ds.json`,
    )
    .action(async (file: string | undefined, flags: Flags, command: Command) => {
      const examination = examine(await inputFor(file, flags, command));
      if (flags.output === "table" || flags.output === "wide")
        process.stdout.write(printExamination(examination, flags.output === "wide"));
      else printAnswer({ value: examination, table: { columns: [], rows: [] } }, flags.output);
      if (fails(examination, flags.failOn)) process.exitCode = 1;
    });
}

async function inputFor(file: string | undefined, flags: Flags, command: Command): Promise<Input> {
  const exported = exportedBy(flags);
  const hasFiles = Object.keys(exported).length > 0;
  if ([file !== undefined, flags.lab === true, hasFiles].filter(Boolean).length !== 1) {
    throw new EniverseError("invalid_argument", {
      attempted: "examine a network",
      found: file === undefined && !flags.lab && !hasFiles ? "nothing to look at" : "more than one network",
      wanted: "one of --lab, a file, or exported JSON (--subnets, --enis, --nodes, --pods, --daemonsets …)",
    });
  }
  if (flags.lab) return exportLab(command);
  return file === undefined ? inputOf(exported) : inputOfFile(file);
}

function exportedBy({ subnets, enis, nodes, pods, daemonsets, serviceAccount, eniconfigs }: Flags): Exported {
  const part = (name: keyof Exported, file: string | undefined): Exported =>
    file === undefined ? {} : { [name]: jsonOf(file) };
  return {
    ...part("subnets", subnets),
    ...part("enis", enis),
    ...part("nodes", nodes),
    ...part("pods", pods),
    ...part("daemonSets", daemonsets),
    ...part("serviceAccount", serviceAccount),
    ...part("eniConfigs", eniconfigs),
  };
}

/** A lab.yaml with its defaults; or a plan, by the lab that it makes. */
function inputOfFile(file: string): Input {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (cause) {
    throw new EniverseError("not_found", { attempted: `read ${file}`, found: messageOf(cause), cause });
  }
  const shape = {
    nodes: 3,
    zones: 2,
    instanceType: "m5.large",
    vpcCidr: parseCidr4("10.0.0.0/16"),
    awsNodeEnv: {},
  };
  const plan = text.trimStart().startsWith("{") ? (jsonOf(file) as Partial<VpcPlan>) : undefined;
  const lab = plan?.awsNodeEnv === undefined ? text : JSON.stringify(labFileOf(plan as VpcPlan).config);
  return inputOfLab(readLabConfig(lab, file, "doctor", shape));
}

function severity(text: string): Severity {
  if (text === "error" || text === "warning") return text;
  throw new InvalidArgumentError("wanted: error or warning");
}
