import type { Command } from "commander";
import { createImds } from "../../aws/imds.ts";
import { EniverseError } from "../../base/error.ts";
import { count } from "../../plan/field.ts";
import { explainMaxPodsTable, type MaxPodsSettings, maxPods, maxPodsTable } from "../../plan/max-pods.ts";
import { printLine } from "../output.ts";
import { list, type PlanOutputFlags, printPlan, range, withPlanOutput } from "../plan-flags.ts";
import { maxPodsView } from "../views/plan-max-pods.ts";
import { wholeNumber } from "../whole-number.ts";

interface MaxPodsFlags extends PlanOutputFlags {
  readonly instanceType?: readonly string[];
  readonly instanceTypeFromImds?: boolean;
  readonly all?: boolean;
  readonly vcpus?: { readonly min?: number; readonly max?: number };
  readonly minPods?: number;
  readonly cniVersion?: string;
  readonly cniPrefixDelegationEnabled?: boolean;
  readonly cniCustomNetworkingEnabled?: boolean;
  readonly cniMaxEni?: number;
  readonly ipv6?: boolean;
  readonly securityGroupsForPods?: boolean;
  readonly multiNic?: boolean;
  readonly showMaxAllowed?: boolean;
  readonly vcpusOf?: readonly string[];
}

export function addMaxPods(program: Command): void {
  const command = program
    .command("max-pods")
    .description("How many pods a node takes: the flags and answers of max-pods-calculator.sh, and more")
    .option("--instance-type <types>", "one type, or several with commas: the lowest number wins", list)
    .option("--instance-type-from-imds", "the type of the instance that this runs on")
    .option("--all", "every known type")
    .option("--vcpus <range>", "every type with so many vCPUs, as 8..32", range)
    .option("--min-pods <n>", "every type that takes so many pods", wholeNumber)
    .option("--cni-version <version>", "version of the VPC CNI, as 1.10.0; the current one when absent")
    .option("--cni-prefix-delegation-enabled", "ENABLE_PREFIX_DELEGATION=true")
    .option("--cni-custom-networking-enabled", "AWS_VPC_K8S_CNI_CUSTOM_NETWORK_CFG=true")
    .option("--cni-max-eni <n>", "MAX_ENI", wholeNumber)
    .option("--show-max-allowed", "without the cap of 110 pods (250 above 30 vCPUs)")
    .option("--ipv6", "for an IPv6 cluster")
    .option("--security-groups-for-pods", "ENABLE_POD_ENI=true: the trunk takes an ENI's place")
    .option("--multi-nic", "ENABLE_MULTI_NIC=true: count the other network cards too")
    .option("--vcpus-of <TYPE=N>", "default vCPUs of a type for which they are not known", list);
  withPlanOutput(command)
    .addHelpText(
      "after",
      `
Prints the bare number for --instance-type, so that it can stand in a script; -o and --explain tell more.

Examples:
  eniverse max-pods --instance-type m5.large --cni-version 1.10.0
  eniverse max-pods --instance-type m5.large --cni-prefix-delegation-enabled --explain
  eniverse max-pods --instance-type m5.xlarge,m6a.xlarge,t3.medium -o table
  eniverse max-pods --vcpus 8..32 --min-pods 100
  eniverse max-pods --all -o json`,
    )
    .action(async (flags: MaxPodsFlags) => {
      const settings = settingsOf(flags);
      const types = [...(flags.instanceType ?? [])];
      if (flags.instanceTypeFromImds) types.push(await createImds().get("meta-data/instance-type"));
      const wantsList = flags.all || flags.vcpus !== undefined || flags.minPods !== undefined;
      if (wantsList && types.length > 0)
        throw wrongFlags("--instance-type with --all, --vcpus or --min-pods");
      if (!wantsList && types.length === 0)
        throw wrongFlags("none of --instance-type, --all, --vcpus, --min-pods");
      if (wantsList) {
        const filter = {
          ...settings,
          ...(flags.vcpus?.min === undefined ? {} : { minVcpus: flags.vcpus.min }),
          ...(flags.vcpus?.max === undefined ? {} : { maxVcpus: flags.vcpus.max }),
          ...(flags.minPods === undefined ? {} : { minPods: flags.minPods }),
        };
        const rows = maxPodsTable(filter);
        const explain = flags.explain ? explainMaxPodsTable(filter) : [];
        printPlan(maxPodsView(rows, explain, count(rows.length, "type")), flags);
        return;
      }
      const answer = maxPods({ ...settings, instanceTypes: types });
      // As the old calculator did: the bare number, unless more was asked for.
      if (command.getOptionValueSource("output") === "default") {
        printLine(String(answer.maxPods));
        if (flags.explain) for (const line of answer.explain) printLine(line);
        return;
      }
      const footer = types.length > 1 ? `The lowest wins: ${answer.maxPods} (${answer.decidedBy})` : "";
      printPlan({ ...maxPodsView(answer.rows, answer.explain, footer), value: answer }, flags);
    });
}

function settingsOf(flags: MaxPodsFlags): MaxPodsSettings {
  return {
    ...(flags.cniVersion === undefined ? {} : { cniVersion: flags.cniVersion }),
    ...(flags.cniMaxEni === undefined ? {} : { maxEni: flags.cniMaxEni }),
    prefixDelegation: flags.cniPrefixDelegationEnabled ?? false,
    customNetworking: flags.cniCustomNetworkingEnabled ?? false,
    showMaxAllowed: flags.showMaxAllowed ?? false,
    ipv6: flags.ipv6 ?? false,
    securityGroupsForPods: flags.securityGroupsForPods ?? false,
    multiNic: flags.multiNic ?? false,
    vcpus: Object.fromEntries((flags.vcpusOf ?? []).map(parseVcpus)),
  };
}

function parseVcpus(text: string): [string, number] {
  const match = /^([^=]+)=(\d+)$/.exec(text);
  if (match?.[1] === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "use --vcpus-of",
      found: JSON.stringify(text),
      wanted: "TYPE=N, as u-12tb1.metal=448",
    });
  }
  return [match[1], Number(match[2])];
}

function wrongFlags(found: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: "calculate max-pods",
    found,
    wanted: "either --instance-type TYPE[,TYPE…], or --all, or a filter (--vcpus A..B, --min-pods N)",
  });
}
