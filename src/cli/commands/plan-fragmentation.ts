import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import { limitsOf } from "../../plan/field.ts";
import { nodeFootprint } from "../../plan/footprint.ts";
import { type FragmentationAnswer, planFragmentation } from "../../plan/fragmentation.ts";
import {
  givenSubnets,
  type Observed,
  type ObservedSubnet,
  reservationsIn,
  usedIn,
} from "../../plan/observed.ts";
import {
  decimal,
  decimals,
  list,
  type PlanOutputFlags,
  printPlan,
  refuseFlags,
  withPlanOutput,
} from "../plan-flags.ts";
import { observe, type SourceFlags, withSources } from "../plan-sources.ts";
import { fragmentationForms, fragmentationsView, fragmentationView } from "../views/plan-fragmentation.ts";
import { wholeNumber } from "../whole-number.ts";

interface FragmentationFlags extends PlanOutputFlags, SourceFlags {
  readonly cidr?: string;
  readonly used?: readonly number[];
  readonly addresses?: readonly string[];
  readonly reservation: readonly string[];
  readonly blocks?: number;
  readonly nodes?: number;
  readonly instanceType: string;
  readonly podsPerNode: number;
  readonly subnet?: string;
  readonly trials?: number;
  readonly seed: number;
}

export function addPlanFragmentation(plan: Command): void {
  const command = plan
    .command("fragmentation")
    .description(
      "Whole /28 blocks left in a subnet: by chance and counted; when prefix mode fails; what prevents it",
    )
    .option("--cidr <cidr>", "the subnet")
    .option("--used <percents>", "shares of use to look at, in percent with commas between", decimals)
    .option("--addresses <list>", "what is in use: addresses and /28 blocks with commas between", list)
    .option("--reservation <cidrs>", "CIDR reservations of type prefix that are there", list, [])
    .option("--blocks <n>", "/28 blocks that prefix mode will want", wholeNumber)
    .option("--nodes <n>", "further nodes that will want prefixes, instead of --blocks", wholeNumber)
    .option("--instance-type <type>", "type of these nodes", "m5.large")
    .option("--pods-per-node <n>", "pods of these nodes", wholeNumber, 20)
    .option("--subnet <id>", "with a source: only this one, by id or name (default: all that pods live in)")
    .option("--trials <n>", "trials by chance", wholeNumber)
    .option("--seed <n>", "of the trials", decimal, 1);
  withPlanOutput(withSources(command), fragmentationForms)
    .addHelpText(
      "after",
      `
With --subnets and --enis (or --from-aws, --lab) each subnet is counted as it is.

Examples:
  eniverse plan fragmentation --cidr 10.0.0.0/20
  eniverse plan fragmentation --cidr 10.0.0.0/20 --used 35,40 --blocks 60 --explain
  eniverse plan fragmentation --cidr 10.0.0.0/24 --addresses 10.0.0.20,10.0.0.64/28 -o map
  eniverse plan fragmentation --subnets subnets.json --enis enis.json --nodes 40 --pods-per-node 20
  eniverse plan fragmentation --lab`,
    )
    .action(async (flags: FragmentationFlags) => {
      if (flags.blocks !== undefined) refuseFlags(flags, ["nodes"], "--blocks or --nodes, not both");
      const observed = await observe(flags, command);
      if (observed !== undefined && observed.subnets.length > 0) {
        const instead = "no description of a subnet beside a source, which tells all of it";
        refuseFlags(flags, ["cidr", "addresses", "reservation"], instead);
        const subnets = subnetsOf(observed, flags);
        const answers = subnets.map((subnet) => ({
          name: subnet.name,
          answer: answerFor(flags, subnet.cidr, usedIn(observed, subnet), {
            reservations: reservationsIn(observed, subnet),
            subnets: subnets.length,
          }),
        }));
        const [only] = answers;
        printPlan(
          answers.length === 1 && only !== undefined
            ? fragmentationView(only.answer)
            : fragmentationsView(answers),
          flags,
        );
        return;
      }
      if (flags.cidr === undefined) {
        throw new EniverseError("invalid_argument", {
          attempted: "plan fragmentation",
          found: "no subnet",
          wanted: "--cidr CIDR, or --subnets FILE with --enis FILE, or --from-aws, or --lab",
        });
      }
      refuseFlags(flags, ["subnet"], "--subnets FILE, --from-aws or --lab with it");
      const reservations = flags.reservation.map((cidr) => ({ cidr, kind: "prefix" as const }));
      const answer = answerFor(flags, flags.cidr, flags.addresses, { reservations, subnets: 1 });
      printPlan(fragmentationView(answer), flags);
    });
}

function answerFor(
  flags: FragmentationFlags,
  cidr: string,
  used: readonly string[] | undefined,
  known: {
    readonly reservations: readonly { readonly cidr: string; readonly kind: "prefix" | "explicit" }[];
    /** Nodes spread over so many. */
    readonly subnets: number;
  },
): FragmentationAnswer {
  const ofNodes = blocksOfNodes(flags);
  const wantedBlocks =
    flags.blocks ?? (ofNodes === undefined ? undefined : Math.ceil(ofNodes / known.subnets));
  return planFragmentation({
    cidr,
    ...(flags.used === undefined ? {} : { usedPercents: flags.used }),
    ...(used === undefined ? {} : { used }),
    reservations: known.reservations,
    ...(wantedBlocks === undefined ? {} : { wantedBlocks }),
    ...(flags.trials === undefined ? {} : { trials: flags.trials }),
    seed: flags.seed,
  });
}

/** As many prefixes as the nodes hold at rest. */
function blocksOfNodes(flags: FragmentationFlags): number | undefined {
  if (flags.nodes === undefined) return undefined;
  const limits = limitsOf("--instance-type", flags.instanceType);
  const footprint = nodeFootprint(
    { limits, mode: "prefix", warm: {}, pods: flags.podsPerNode },
    "--pods-per-node",
  );
  return flags.nodes * footprint.prefixes;
}

function subnetsOf(observed: Observed, { subnet }: FragmentationFlags): readonly ObservedSubnet[] {
  if (subnet === undefined) {
    const homes = new Set(
      givenSubnets(observed)
        .filter(({ kind }) => kind === "private" || kind === "pods")
        .map(({ cidr }) => cidr),
    );
    return homes.size > 0 ? observed.subnets.filter(({ cidr }) => homes.has(cidr)) : observed.subnets;
  }
  const found = observed.subnets.filter(({ subnetId, name }) => subnetId === subnet || name === subnet);
  if (found.length > 0) return found;
  throw new EniverseError("not_found", {
    attempted: `find the subnet ${subnet}`,
    found: `there are ${observed.subnets.map(({ name }) => name).join(", ")}`,
  });
}
