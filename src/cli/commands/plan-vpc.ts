import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { givenSubnets, type Observed, observedGroups } from "../../plan/observed.ts";
import { observedMode, observedWarm } from "../../plan/observed-mode.ts";
import { planVpc } from "../../plan/vpc.ts";
import type { NodeGroupInput, OtherRange, PlanVpcInput } from "../../plan/vpc-input.ts";
import { type PlanMode, planModes } from "../../plan/warm-settings.ts";
import {
  decimal,
  list,
  named,
  nodeGroup,
  type PlanOutputFlags,
  printPlan,
  refuseFlags,
  withPlanOutput,
} from "../plan-flags.ts";
import { observe, type SourceFlags, withSources } from "../plan-sources.ts";
import { type WarmFlags, warmOf, withWarm } from "../plan-warm-flags.ts";
import { vpcForms, vpcView } from "../views/plan-vpc.ts";
import { wholeNumber } from "../whole-number.ts";

interface VpcFlags extends PlanOutputFlags, SourceFlags, WarmFlags {
  readonly nodes?: number;
  readonly podsPerNode?: number;
  readonly instanceType: string;
  readonly branchPodsPerNode?: number;
  readonly maxPods?: number;
  readonly group: readonly string[];
  readonly zones: string;
  readonly region: string;
  readonly clusterName: string;
  readonly vpcCidr?: string;
  readonly podCidr?: readonly string[];
  readonly serviceCidr?: string;
  readonly mode: string;
  readonly growth?: number;
  readonly growthNodes?: number;
  readonly horizon: number;
  readonly headroom: number;
  readonly surge?: number;
  readonly surviveZoneLoss?: boolean;
  readonly albs: string;
  readonly nlbs: string;
  readonly endpoints: number;
  readonly nat: string;
  readonly otherAddresses: number;
  readonly peer: readonly string[];
  readonly onPremises: readonly string[];
  readonly beside?: boolean;
  readonly fill?: boolean;
}

export function addPlanVpc(plan: Command): void {
  const command = plan
    .command("vpc")
    .description("Lay out subnets and account for every address, or judge the subnets that are there")
    .option("--nodes <n>", "worker nodes", wholeNumber)
    .option("--pods-per-node <n>", "pods with an address of their own on a full node", wholeNumber)
    .option("--instance-type <type>", "EC2 type of the nodes", "m5.large")
    .option(
      "--branch-pods-per-node <n>",
      "pods with security groups of their own, beside the others",
      wholeNumber,
    )
    .option("--max-pods <n>", "the kubelet's, where it is not the type's own", wholeNumber)
    .option("--group <NAME=TYPE:NODES:PODS>", "a node group; may be repeated", list, [])
    .option("--zones <n>", "how many zones, or their names with commas between", "3")
    .option("--region <region>", "region of the zones", "us-west-2")
    .option("--cluster-name <name>", "for tags", "eks")
    .option("--vpc-cidr <cidr>", "primary block (default 10.0.0.0/16)")
    .option("--pod-cidr <cidrs>", "secondary blocks for pods; found in 100.64.0.0/10 when absent", list)
    .option("--service-cidr <cidr>", "the cluster's service range")
    .option("--mode <mode>", planModes.join(", "), "secondary-ip")
    .option("--growth <percent>", "more nodes a month, in percent", decimal)
    .option("--growth-nodes <n>", "more nodes a month, in nodes", decimal)
    .option("--horizon <days>", "subnets are to last so long", wholeNumber, 365)
    .option("--headroom <percent>", "room on top of the peak", decimal, 20)
    .option("--surge <n>", "nodes that an upgrade adds to a group (default: twice the zones)", wholeNumber)
    .option("--survive-zone-loss", "the other zones can take the nodes of a lost one")
    .option("--albs <public,internal>", "application load balancers", "0,0")
    .option("--nlbs <public,internal>", "network load balancers", "0,0")
    .option("--endpoints <n>", "interface endpoints", wholeNumber, 0)
    .option("--nat <where>", "NAT gateways: per-zone, single or none", "per-zone")
    .option("--other-addresses <n>", "what else takes addresses in each private subnet", wholeNumber, 0)
    .option("--peer <NAME=CIDR>", "a range that must not overlap; may be repeated", list, [])
    .option("--on-premises <NAME=CIDR>", "the same, behind a VPN or Direct Connect", list, [])
    .option("--beside", "with --subnets, --from-aws or --lab: lay out new subnets beside those")
    .option("--fill", "make private and pod subnets as large as the blocks allow");
  withPlanOutput(withSources(withWarm(command)), vpcForms)
    .addHelpText(
      "after",
      `
The status is 1 when the plan has errors: a subnet runs out before the horizon, a range overlaps.

Examples:
  eniverse plan vpc --nodes 60 --pods-per-node 20 --growth 8 -o tree
  eniverse plan vpc --nodes 60 --pods-per-node 60 --mode custom-prefix --peer office=10.1.0.0/16 --explain
  eniverse plan vpc --group web=m5.large:30:20 --group jobs=c5.4xlarge:5:80 --albs 2,1 --endpoints 8
  eniverse plan vpc --nodes 3 --pods-per-node 10 --zones 2 -o lab > lab.yaml && eniverse up --config lab.yaml
  eniverse plan vpc --subnets subnets.json --enis enis.json --kube-nodes nodes.json --kube-pods pods.json --growth 8
  eniverse plan vpc --mode custom --nodes 3 --pods-per-node 10 -o eniconfig`,
    )
    .action(async (flags: VpcFlags, _options: unknown) => {
      const observed = await observe(flags, command);
      const answer = planVpc(inputOf(flags, observed, command));
      printPlan(vpcView(answer), flags);
      if (answer.problems.some(({ severity }) => severity === "error")) process.exitCode = 1;
    });
}

function inputOf(flags: VpcFlags, observed: Observed | undefined, command: Command): PlanVpcInput {
  const [publicAlbs, internalAlbs] = pair("--albs", flags.albs);
  const [publicNlbs, internalNlbs] = pair("--nlbs", flags.nlbs);
  const hasSubnets = observed !== undefined && observed.subnets.length > 0;
  if (!hasSubnets) refuseFlags(flags, ["beside"], "--subnets FILE, --from-aws or --lab with it");
  const vpcCidr = flags.vpcCidr ?? observed?.vpcCidrs?.[0];
  const judged = hasSubnets && !flags.beside ? givenSubnets(observed) : undefined;
  const seenZones = [...new Set((observed?.subnets ?? []).map(({ zone }) => zone))].sort();
  // What is there says where, unless flags do.
  const isTold = (flag: string): boolean => command.getOptionValueSource(flag) !== "default";
  const takesZones = judged !== undefined || (hasSubnets && !isTold("zones") && !isTold("region"));
  return {
    clusterName: flags.clusterName,
    region: takesZones ? regionOf(seenZones[0] ?? flags.region) : flags.region,
    zones: takesZones ? seenZones : zonesOf(flags.zones),
    ...(vpcCidr === undefined ? {} : { vpcCidr }),
    ...(flags.podCidr === undefined ? {} : { podCidrs: flags.podCidr }),
    ...(flags.serviceCidr === undefined ? {} : { serviceCidr: flags.serviceCidr }),
    mode: modeOf(flags, observed, command),
    warm: { ...(observed === undefined ? {} : observedWarm(observed)), ...warmOf(flags) },
    nodeGroups: groupsOf(flags, observed, command),
    ...(flags.growth === undefined && flags.growthNodes === undefined
      ? {}
      : {
          growth: {
            ...(flags.growth === undefined ? {} : { percentPerMonth: flags.growth }),
            ...(flags.growthNodes === undefined ? {} : { nodesPerMonth: flags.growthNodes }),
          },
        }),
    horizonDays: flags.horizon,
    headroomPercent: flags.headroom,
    ...(flags.surge === undefined ? {} : { surgeNodes: flags.surge }),
    surviveZoneLoss: flags.surviveZoneLoss ?? false,
    loadBalancers: { publicAlbs, internalAlbs, publicNlbs, internalNlbs },
    interfaceEndpoints: flags.endpoints,
    // Gateways that are there are among the interfaces in use.
    natGateways: judged !== undefined && observed?.enis !== undefined ? "none" : natOf(flags.nat),
    otherAddressesPerZone: flags.otherAddresses,
    others: [
      ...flags.peer.map((text): OtherRange => ({ ...named(text), kind: "peer" })),
      ...flags.onPremises.map((text): OtherRange => ({ ...named(text), kind: "on-premises" })),
      ...(flags.beside ? (observed?.subnets ?? []) : []).map(
        ({ name, cidr }): OtherRange => ({ name, cidr, kind: "existing" }),
      ),
    ],
    ...(judged === undefined ? {} : { subnets: judged }),
    subnetIds: idsOf(observed, flags.clusterName),
    fill: flags.fill ?? false,
    startDate: new Date().toISOString().slice(0, 10),
  };
}

/** What the flag says, else how the cluster that is there runs. */
function modeOf({ mode }: VpcFlags, observed: Observed | undefined, command: Command): PlanMode {
  const isTold = command.getOptionValueSource("mode") !== "default";
  return (isTold || observed === undefined ? undefined : observedMode(observed)) ?? (mode as PlanMode);
}

function groupsOf(
  flags: VpcFlags,
  observed: Observed | undefined,
  command: Command,
): readonly NodeGroupInput[] {
  const groups = flags.group.map(nodeGroup);
  if (groups.length > 0) {
    const single = ["nodes", "podsPerNode", "branchPodsPerNode", "maxPods"] as const;
    refuseFlags(flags, single, "--group alone: NAME=TYPE:NODES:PODS tells all of it");
    return groups;
  }
  const seen = observed === undefined ? undefined : observedGroups(observed);
  if (flags.nodes === undefined && seen !== undefined) {
    return flags.podsPerNode === undefined
      ? seen
      : seen.map((group) => ({ ...group, podsPerNode: flags.podsPerNode ?? group.podsPerNode }));
  }
  if (flags.nodes === undefined || flags.podsPerNode === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "plan a VPC",
      found: "nothing that says how many nodes and pods there are",
      wanted: "--nodes N and --pods-per-node N, or --group, or --kube-nodes and --kube-pods, or --lab",
      fix: `See "eniverse ${command.parent?.name() ?? "plan"} ${command.name()} --help"`,
    });
  }
  return [
    {
      name: "workers",
      instanceType: flags.instanceType,
      nodes: flags.nodes,
      podsPerNode: flags.podsPerNode,
      ...(flags.branchPodsPerNode === undefined ? {} : { branchPodsPerNode: flags.branchPodsPerNode }),
      ...(flags.maxPods === undefined ? {} : { maxPods: flags.maxPods }),
    },
  ];
}

function pair(flag: string, text: string): readonly [number, number] {
  const match = /^(\d+),(\d+)$/.exec(text);
  if (match === null) throw wrong(flag, text, "PUBLIC,INTERNAL, as 2,1");
  return [Number(match[1]), Number(match[2])];
}

function zonesOf(text: string): number | readonly string[] {
  return /^\d+$/.test(text) ? Number(text) : text.split(",");
}

function regionOf(zone: string): string {
  return zone.replace(/[a-z]$/, "");
}

function natOf(text: string): "per-zone" | "single" | "none" {
  if (text === "per-zone" || text === "single" || text === "none") return text;
  throw wrong("--nat", text, "per-zone, single or none");
}

/** Ids by the names that a plan gives its subnets, with and without the cluster's name before it. */
function idsOf(observed: Observed | undefined, clusterName: string): Record<string, string> {
  return Object.fromEntries(
    (observed?.subnets ?? []).flatMap(({ name, subnetId }) => [
      [name, subnetId],
      [name.replace(`${clusterName}-`, ""), subnetId],
    ]),
  );
}

function wrong(flag: string, found: string, wanted: string): EniverseError {
  return new EniverseError("invalid_argument", {
    attempted: `use ${flag}`,
    found: JSON.stringify(found),
    wanted,
  });
}
