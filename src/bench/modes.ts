import { type BurstInput, type BurstResult, simulateBurst } from "../sim/index.ts";
import { labBurst } from "./modes-lab.ts";
import { atMost, type Goal, rounded, type Section } from "./report.ts";

/** What both sides are given; the lab as well. */
export const burst = {
  instanceType: "m5.4xlarge",
  pods: 100,
  latencies: { CreateNetworkInterface: 400, attach: 2000, AssignPrivateIpAddresses: 300 },
  imdsLagMs: 1000,
} as const;

const goalShare = 1 / 3;
const modes = ["secondary-ip", "prefix"] as const;
const warmSettings: readonly Readonly<Record<string, string>>[] = [
  {},
  { WARM_IP_TARGET: "5" },
  { WARM_IP_TARGET: "2", MINIMUM_IP_TARGET: "10" },
];

interface Row {
  readonly mode: BurstInput["mode"];
  readonly settings: Readonly<Record<string, string>>;
  readonly ours: Burst;
  readonly official: Burst;
}

/** A burst of which all pods became ready. */
type Burst = BurstResult & { readonly readyMs: number };

/** A hundred pods at once on a fresh node, in every mode, beside the schedule of the official algorithm. */
export const addressModes: Section = {
  name: "modes",
  title: "A burst of pods in each address mode",
  run: async ({ quick }) => {
    const rows = modes.flatMap((mode) =>
      warmSettings.map((settings) => ({
        mode,
        settings,
        ours: simulated(mode, settings, "eniverse"),
        official: simulated(mode, settings, "official"),
      })),
    );
    const [simulatedRow] = rows;
    const lab = quick || simulatedRow === undefined ? undefined : await labBurst(simulatedRow.ours);
    return {
      about:
        `${burst.pods} pods that land at once on a fresh ${burst.instanceType}: create 0.4 s, attach 2 s until the device appears, assign 0.3 s, metadata lag 1 s. ` +
        "Both on a virtual clock over the same model of EC2; on the right the official schedule (half-cycles of 2.5 s, one ENI grown per pass, waiting for metadata, the kubelet's pause of 10 to 15 s after a refusal). " +
        "Seconds until the last pod has its address; calls from the start of ipamd to its rest; idle addresses at rest, five minutes later." +
        (lab === undefined ? "" : `\n${lab.about}`),
      table: {
        columns: [
          ...["Mode", "Warm settings", "Time (s)", "Official", "Ratio", "Calls", "Official", "Ratio"],
          ...["Idle", "Official", "Ratio"],
        ],
        rows: rows.map(({ mode, settings, ours, official }) => [
          mode,
          named(settings),
          ...compared(ours.readyMs / 1000, official.readyMs / 1000),
          ...compared(ours.ec2Calls, official.ec2Calls),
          ...compared(idleOf(ours), idleOf(official)),
        ]),
      },
      goals: [...rows.flatMap(goalsOf), ...(lab?.goals ?? [])],
      raw: { burst, rows, ...(lab === undefined ? {} : { lab: lab.raw }) },
    };
  },
};

function simulated(
  mode: BurstInput["mode"],
  settings: Readonly<Record<string, string>>,
  driver: BurstInput["driver"],
): Burst {
  const result = simulateBurst({ ...burst, mode, settings, driver });
  // A pod that never gets an address is told as a time that no goal allows.
  return { ...result, readyMs: result.readyMs ?? Number.POSITIVE_INFINITY };
}

function goalsOf({ mode, settings, ours, official }: Row): Goal[] {
  const row = `${mode}, ${named(settings)}`;
  return [
    atMost(`burst, time / official: ${row}`, ours.readyMs / official.readyMs, goalShare, "×"),
    atMost(`burst, EC2 calls / official: ${row}`, ours.ec2Calls / official.ec2Calls, 1, "×"),
    atMost(`burst, idle addresses at rest / official: ${row}`, idleOf(ours) / idleOf(official), 1, "×"),
  ];
}

const idleOf = ({ addressesHeld }: BurstResult): number => addressesHeld - burst.pods;

function named(settings: Readonly<Record<string, string>>): string {
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return words.length === 0 ? "default" : words.join(" ");
}

const compared = (ours: number, official: number): string[] => [
  rounded(ours),
  rounded(official),
  `${rounded(ours / official)} ×`,
];
