import type { Command } from "commander";
import { EniverseError } from "../../base/error.ts";
import type { PodPattern } from "../../plan/pod-pattern.ts";
import { type PlanWarmInput, planWarm } from "../../plan/warm.ts";
import type { PlanMode, WarmSettings } from "../../plan/warm-settings.ts";
import { type PlanOutputFlags, printPlan, refuseFlags, withPlanOutput } from "../plan-flags.ts";
import { warmView } from "../views/plan-warm.ts";
import { wholeNumber } from "../whole-number.ts";

interface WarmCommandFlags extends PlanOutputFlags {
  readonly instanceType: string;
  readonly mode: string;
  readonly pods: number;
  readonly burst?: number;
  readonly every?: number;
  readonly lasts?: number;
  readonly jobsPerMinute?: number;
  readonly runs?: number;
  readonly rollout?: boolean;
  readonly atOnce?: number;
  readonly try: readonly string[];
  readonly minutes: number;
  readonly goal: number;
  readonly nodes: number;
  readonly cooldown: number;
  readonly assignMs?: number;
  readonly createMs?: number;
  readonly seed: number;
}

export function addPlanWarm(plan: Command): void {
  const command = plan
    .command("warm")
    .description("Try warm settings on a node under a pattern of pods: idle addresses, waits, EC2 calls")
    .option("--instance-type <type>", "EC2 type of the node", "m5.large")
    .option(
      "--mode <mode>",
      "secondary-ip, prefix, custom, custom-prefix, discovery or discovery-prefix",
      "secondary-ip",
    )
    .option("--pods <n>", "pods that are there all the time", wholeNumber, 10)
    .option("--burst <n>", "so many more at once, again and again", wholeNumber)
    .option("--every <seconds>", "between bursts or roll-outs (default 900, 1200)", wholeNumber)
    .option("--lasts <seconds>", "how long a burst stays (default 300)", wholeNumber)
    .option("--jobs-per-minute <n>", "jobs that start each minute", wholeNumber)
    .option("--runs <seconds>", "how long a job runs (default 30)", wholeNumber)
    .option("--rollout", "all pods are replaced, again and again")
    .option("--at-once <n>", "pods that a roll-out replaces at once (default: a quarter)", wholeNumber)
    .option(
      "--try <SETTINGS>",
      "as WARM_IP_TARGET=2,MINIMUM_IP_TARGET=12; may be repeated; default a sweep",
      collect,
      [],
    )
    .option("--minutes <n>", "how long the pattern runs", wholeNumber, 60)
    .option("--goal <ms>", "99 of 100 pods must have their address so soon", wholeNumber, 1000)
    .option("--nodes <n>", "nodes alike, for the totals", wholeNumber, 1)
    .option("--cooldown <seconds>", "IP_COOLDOWN_PERIOD", wholeNumber, 30)
    .option("--assign-ms <ms>", "EC2's time for addresses on an ENI (default 600)", wholeNumber)
    .option("--create-ms <ms>", "until a new ENI serves (default 8000)", wholeNumber)
    .option("--seed <n>", "of the jobs' times", wholeNumber, 1);
  withPlanOutput(command)
    .addHelpText(
      "after",
      `
Examples:
  eniverse plan warm --instance-type m5.large --pods 8 --burst 12
  eniverse plan warm --instance-type m5.large --pods 5 --jobs-per-minute 10 --runs 30
  eniverse plan warm --instance-type m5.xlarge --pods 30 --rollout --nodes 50
  eniverse plan warm --mode prefix --pods 20 --burst 15 --try WARM_PREFIX_TARGET=1 --try WARM_IP_TARGET=5`,
    )
    .action((flags: WarmCommandFlags) => printPlan(warmView(planWarm(inputOf(flags))), flags));
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}

function inputOf(flags: WarmCommandFlags): PlanWarmInput {
  return {
    instanceType: flags.instanceType,
    mode: flags.mode as PlanMode,
    pattern: patternOf(flags),
    ...(flags.try.length === 0 ? {} : { candidates: flags.try.map(parseSettings) }),
    latencies: {
      ...(flags.assignMs === undefined ? {} : { assignMs: flags.assignMs }),
      ...(flags.createMs === undefined ? {} : { createEniMs: flags.createMs }),
    },
    cooldownSeconds: flags.cooldown,
    minutes: flags.minutes,
    goalMs: flags.goal,
    nodes: flags.nodes,
    seed: flags.seed,
  };
}

function patternOf(flags: WarmCommandFlags): PodPattern {
  const { pods, burst, jobsPerMinute, rollout, every } = flags;
  const chosen = [burst !== undefined, jobsPerMinute !== undefined, rollout ?? false].filter(Boolean).length;
  if (chosen > 1) {
    throw new EniverseError("invalid_argument", {
      attempted: "plan warm settings",
      found: "more than one of --burst, --jobs-per-minute and --rollout",
      wanted: "one pattern",
    });
  }
  if (burst === undefined) refuseFlags(flags, ["lasts"], "--burst with it");
  if (jobsPerMinute === undefined) refuseFlags(flags, ["runs"], "--jobs-per-minute with it");
  if (!rollout) refuseFlags(flags, ["atOnce"], "--rollout with it");
  if (burst === undefined && !rollout) refuseFlags(flags, ["every"], "--burst or --rollout with it");
  const everySeconds = every === undefined ? {} : { everySeconds: every };
  if (burst !== undefined) {
    return {
      kind: "burst",
      pods,
      burst,
      ...everySeconds,
      ...(flags.lasts === undefined ? {} : { lastsSeconds: flags.lasts }),
    };
  }
  if (jobsPerMinute !== undefined) {
    return {
      kind: "jobs",
      pods,
      perMinute: jobsPerMinute,
      ...(flags.runs === undefined ? {} : { runsSeconds: flags.runs }),
    };
  }
  if (rollout)
    return {
      kind: "rollout",
      pods,
      ...everySeconds,
      ...(flags.atOnce === undefined ? {} : { atOnce: flags.atOnce }),
    };
  return { kind: "steady", pods };
}

const settings: Readonly<Record<string, keyof WarmSettings>> = {
  WARM_IP_TARGET: "warmIpTarget",
  MINIMUM_IP_TARGET: "minimumIpTarget",
  WARM_ENI_TARGET: "warmEniTarget",
  WARM_PREFIX_TARGET: "warmPrefixTarget",
  MAX_ENI: "maxEni",
};

function parseSettings(text: string): WarmSettings {
  return Object.fromEntries(
    text.split(",").map((part) => {
      const [name = "", value = ""] = part.trim().split("=");
      const key = settings[name];
      if (key !== undefined && /^\d+$/.test(value)) return [key, Number(value)];
      throw new EniverseError("invalid_argument", {
        attempted: "use --try",
        found: JSON.stringify(part),
        wanted: `NAME=N with one of ${Object.keys(settings).join(", ")}`,
      });
    }),
  );
}
