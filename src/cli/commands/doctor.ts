import { readFileSync } from "node:fs";
import { type Command, InvalidArgumentError } from "commander";
import { parse } from "yaml";
import { parseCidr4 } from "../../addr/cidr.ts";
import { EniverseError, messageOf } from "../../base/error.ts";
import { examine, fails } from "../../doctor/examine.ts";
import { type Exported, inputOf } from "../../doctor/read-json.ts";
import { eniConfigsOfPlan, inputOfLab } from "../../doctor/read-lab-file.ts";
import type { Input, Severity } from "../../doctor/rule.ts";
import { readLabConfig } from "../../lab/config-file.ts";
import type { VpcPlan } from "../../plan/vpc.ts";
import { labFileOf } from "../../plan/vpc-lab.ts";
import { exportLab } from "../lab-export.ts";
import { type OutputFormat, outputFormat, printAnswer } from "../output.ts";
import { list, refuseFlags } from "../plan-flags.ts";
import { jsonOf } from "../plan-sources.ts";
import { printExamination } from "../views/doctor.ts";

interface Flags {
  readonly lab?: boolean;
  readonly subnets?: string;
  readonly enis?: string;
  readonly vpc?: string;
  readonly reservations?: readonly string[];
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
    .argument("[file]", "a lab.yaml, or what `eniverse plan vpc -o json` (or yaml) printed")
    .option("--lab", "the running lab")
    .option("--subnets <file>", "JSON of aws ec2 describe-subnets")
    .option("--enis <file>", "JSON of aws ec2 describe-network-interfaces")
    .option("--vpc <id>", "with --subnets or --enis: only this VPC")
    .option("--reservations <files>", "JSON of aws ec2 get-subnet-cidr-reservations, a file a subnet", list)
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
The status is 1 when a rule of severity error found something; with --fail-on warning also for warnings.

Examples:
  eniverse doctor --lab
  eniverse doctor lab.yaml --fail-on warning
  eniverse plan vpc --nodes 60 --pods-per-node 20 -o json > plan.json && eniverse doctor plan.json
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
  if (flags.subnets === undefined) {
    refuseFlags(flags, ["reservations"], "--subnets FILE with it");
    if (flags.enis === undefined) refuseFlags(flags, ["vpc"], "--subnets FILE or --enis FILE with it");
  }
  if (flags.lab) return exportLab(command);
  return file === undefined ? inputOf(exported, flags.vpc) : inputOfFile(file);
}

function exportedBy(flags: Flags): Exported {
  const { subnets, enis, nodes, pods, daemonsets, serviceAccount, eniconfigs, reservations } = flags;
  const part = (name: keyof Exported, file: string | undefined): Exported =>
    file === undefined ? {} : { [name]: jsonOf(file) };
  return {
    ...part("subnets", subnets),
    ...part("enis", enis),
    ...(reservations === undefined ? {} : { reservations: reservations.map(jsonOf) }),
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
  const plan = planIn(text, file);
  if (plan === undefined) return inputOfLab(readLabConfig(text, file, "doctor", shape));
  const lab = readLabConfig(JSON.stringify(labFileOf(plan).config), file, "doctor", shape);
  return { ...inputOfLab(lab), ...eniConfigsOfPlan(plan.eniConfigs) };
}

/** The plan in a file; undefined when it is something else. Throws `invalid_argument` when only a part of one is there. */
function planIn(text: string, file: string): VpcPlan | undefined {
  let value: Partial<VpcPlan> | null;
  try {
    value = parse(text) as Partial<VpcPlan> | null;
  } catch {
    // The reader of lab files says what is wrong, and on which line.
    return undefined;
  }
  if (typeof value !== "object" || value?.awsNodeEnv === undefined) return undefined;
  const { subnets, nodeGroups, eniConfigs, routeTables, vpc } = value;
  if ([subnets, nodeGroups, eniConfigs, routeTables, vpc?.cidrs].every(Array.isArray))
    return value as VpcPlan;
  throw new EniverseError("invalid_argument", {
    attempted: `read ${file}`,
    found: `a plan with ${Object.keys(value).join(", ")}`,
    wanted: "all of what eniverse plan vpc -o json prints",
  });
}

function severity(text: string): Severity {
  if (text === "error" || text === "warning") return text;
  throw new InvalidArgumentError("wanted: error or warning");
}
