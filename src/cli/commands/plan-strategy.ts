import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { badField } from "../../plan/field.ts";
import { givenSubnets, type Observed, observedGroups, reservationsIn, usedIn } from "../../plan/observed.ts";
import { observedMode, observedWarm } from "../../plan/observed-mode.ts";
import { planStrategy } from "../../plan/strategy.ts";
import type { StrategyGroupInput } from "../../plan/strategy-groups.ts";
import type { FullSubnet, PlanStrategyInput } from "../../plan/strategy-input.ts";
import type { OtherRange } from "../../plan/vpc-input.ts";
import { hasPodSubnets, type PlanMode, planModes } from "../../plan/warm-settings.ts";
import {
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
import { strategyForms, strategyView } from "../views/plan-strategy.ts";
import { wholeNumber } from "../whole-number.ts";

interface StrategyFlags extends PlanOutputFlags, SourceFlags, WarmFlags {
  readonly subnet: readonly string[];
  readonly vpcCidr?: readonly string[];
  readonly nodes?: number;
  readonly podsPerNode?: number;
  readonly instanceType?: string;
  readonly group: readonly string[];
  readonly nodesWanted?: number;
  readonly mode: string;
  readonly peer: readonly string[];
  readonly onPremises: readonly string[];
  readonly podsNeedOwnRange?: boolean;
}

export function addPlanStrategy(plan: Command): void {
  const command = plan
    .command("strategy")
    .description(
      "A subnet runs out: every way out side by side, for this cluster, with steps and a recommendation",
    )
    .option(
      "--subnet <NAME=CIDR[:FREE]>",
      "a subnet that pods live in; may be repeated. With a source: its id or name",
      list,
      [],
    )
    .option("--vpc-cidr <cidrs>", "the VPC's blocks, the primary first", list)
    .option("--nodes <n>", "worker nodes", wholeNumber)
    .option("--pods-per-node <n>", "pods with an address of their own on a node", wholeNumber)
    .option("--instance-type <type>", "EC2 type of the nodes (default m5.large, or what the Nodes say)")
    .option("--group <NAME=TYPE:NODES:PODS>", "a node group, of several; may be repeated", list, [])
    .option(
      "--nodes-wanted <n>",
      "how many nodes there should be room for (default: twice as many)",
      wholeNumber,
    )
    .option(
      "--mode <mode>",
      `how the cluster runs now: ${planModes.filter((mode) => mode !== "ipv6").join(", ")}`,
      "secondary-ip",
    )
    .option("--peer <NAME=CIDR>", "a peered range; may be repeated", list, [])
    .option("--on-premises <NAME=CIDR>", "a range behind a VPN or Direct Connect; may be repeated", list, [])
    .option("--pods-need-own-range", "firewalls must tell pods from nodes by their addresses");
  withPlanOutput(withSources(withWarm(command)), strategyForms)
    .addHelpText(
      "after",
      `
-o steps prints the recommended option with what it replaces, breaks and takes.

Examples:
  eniverse plan strategy --subnet a=10.0.0.0/23 --subnet b=10.0.2.0/23 --nodes 24 --pods-per-node 10 --nodes-wanted 60
  eniverse plan strategy --subnet a=10.0.0.0/24:12 --vpc-cidr 10.0.0.0/20 --nodes 8 --pods-per-node 20 -o steps
  eniverse plan strategy --subnet a=10.0.0.0/22 --group web=m5.large:20:15 --group jobs=c5.4xlarge:3:80
  eniverse plan strategy --subnets subnets.json --enis enis.json --kube-nodes nodes.json --kube-pods pods.json
  eniverse plan strategy --lab --nodes-wanted 50 --explain`,
    )
    .action(async (flags: StrategyFlags) => {
      const observed = await observe(flags, command);
      printPlan(strategyView(planStrategy(inputOf(flags, observed, command))), flags);
    });
}

function inputOf(flags: StrategyFlags, observed: Observed | undefined, command: Command): PlanStrategyInput {
  const isTold = command.getOptionValueSource("mode") !== "default";
  const seenMode = isTold || observed === undefined ? undefined : observedMode(observed);
  const mode = seenMode ?? (flags.mode as PlanMode);
  const hasSource = observed !== undefined && observed.subnets.length > 0;
  const subnets = hasSource ? observedSubnets(observed, flags.subnet, mode) : flags.subnet.map(parseSubnet);
  if (subnets.length === 0) {
    throw new EniverseError("invalid_argument", {
      attempted: "plan a strategy",
      found: "no subnet",
      wanted: "--subnet NAME=CIDR, or --subnets FILE, or --from-aws, or --lab",
    });
  }
  const vpcCidrs = flags.vpcCidr ?? observed?.vpcCidrs;
  return {
    subnets,
    ...(vpcCidrs === undefined ? {} : { vpcCidrs }),
    otherSubnets: (observed?.subnets ?? []).filter(
      ({ cidr }) => !subnets.some((subnet) => subnet.cidr === cidr),
    ),
    nodeGroups: groupsOf(flags, observed),
    mode,
    warm: { ...(observed === undefined ? {} : observedWarm(observed)), ...warmOf(flags) },
    ...(flags.nodesWanted === undefined ? {} : { nodesWanted: flags.nodesWanted }),
    others: [
      ...flags.peer.map((text): OtherRange => ({ ...named(text), kind: "peer" })),
      ...flags.onPremises.map((text): OtherRange => ({ ...named(text), kind: "on-premises" })),
    ],
    podsNeedOwnRange: flags.podsNeedOwnRange ?? false,
  };
}

/** Told groups, else one told group, else what the Nodes and Pods are, changed where a flag says so. */
function groupsOf(flags: StrategyFlags, observed: Observed | undefined): StrategyGroupInput[] {
  const told = flags.group.map(nodeGroup);
  if (told.length > 0) {
    const single = ["nodes", "podsPerNode", "instanceType"] as const;
    refuseFlags(flags, single, "--group alone: NAME=TYPE:NODES:PODS tells all of it");
    return told;
  }
  const { nodes, podsPerNode, instanceType } = flags;
  const seen = observed === undefined ? [] : (observedGroups(observed) ?? []);
  if (nodes === undefined && instanceType === undefined && seen.length > 0) {
    return seen.map((group) => ({
      name: group.instanceType,
      instanceType: group.instanceType,
      nodes: group.nodes,
      podsPerNode: podsPerNode ?? group.podsPerNode,
    }));
  }
  // One group in place of those that were seen: the largest of them says what no flag does.
  const [main] = seen.toSorted((a, b) => b.nodes - a.nodes);
  const group = {
    name: "workers",
    instanceType: instanceType ?? main?.instanceType ?? "m5.large",
    nodes: nodes ?? seen.reduce((sum, each) => sum + each.nodes, 0),
    podsPerNode: podsPerNode ?? main?.podsPerNode,
  };
  if (group.nodes > 0 && group.podsPerNode !== undefined) {
    return [{ ...group, podsPerNode: group.podsPerNode }];
  }
  if (nodes === 0) throw badField("nodes", "0", "a whole number of 1 to 100000");
  throw new EniverseError("invalid_argument", {
    attempted: "plan a strategy",
    found: "nothing that says how many nodes and pods there are",
    wanted: "--nodes N and --pods-per-node N, or --group, or --kube-nodes and --kube-pods, or --lab",
  });
}

/** The subnets that pods live in, or the ones that were named. */
function observedSubnets(observed: Observed, names: readonly string[], mode: PlanMode): FullSubnet[] {
  const wanted = hasPodSubnets(mode) ? "pods" : "private";
  const kinds = new Map(givenSubnets(observed).map(({ cidr, kind }) => [cidr, kind]));
  return observed.subnets
    .filter(({ subnetId, name, cidr }) =>
      names.length > 0 ? names.includes(subnetId) || names.includes(name) : kinds.get(cidr) === wanted,
    )
    .map((subnet) => {
      const used = usedIn(observed, subnet);
      const { name, zone, cidr, free } = subnet;
      // EC2's count leaves out what is reserved for prefixes; what is in use says more where it is known.
      return {
        name,
        zone,
        cidr,
        ...(used === undefined ? { free } : { used }),
        reservations: reservationsIn(observed, subnet),
      };
    });
}

function parseSubnet(text: string, index: number): FullSubnet {
  const match = /^(?:([^=]+)=)?([0-9./]+)(?::(\d+))?$/.exec(text);
  if (match?.[2] === undefined) {
    throw new EniverseError("invalid_argument", {
      attempted: "use --subnet",
      found: JSON.stringify(text),
      wanted: "NAME=CIDR or NAME=CIDR:FREE, as a=10.0.0.0/24:12",
    });
  }
  const name = match[1] ?? match[2];
  return {
    name,
    zone: `zone ${String.fromCharCode(97 + (index % 26))}`,
    cidr: match[2],
    ...(match[3] === undefined ? {} : { free: Number(match[3]) }),
  };
}
