import { EniverseError } from "../base/error.ts";
import { seededRandom } from "../base/random.ts";
import type { SettingsInput } from "../ipam/settings.ts";
import { ChaosLab } from "../lab/chaos/carry-out.ts";
import { CoreStage, coreStory } from "../lab/chaos/core-story.ts";
import { type Operation, tellStory } from "../lab/chaos/story.ts";
import { checkLab } from "../lab/check/check.ts";
import { freshLabName, remember, takeLabDown } from "./bench-lab.ts";
import { rounded, type Section } from "./report.ts";

const seed = 9;
const storyLength = 80;
const warmUpMs = 300;
const settings: readonly SettingsInput[] = [
  { warmEniTarget: 1 },
  { warmIpTarget: 3, minimumIpTarget: 10 },
  { prefixDelegation: true, warmPrefixTarget: 1 },
];
const labNodes = 2;
const labPods = 20;
const podsAtRest = 8;

interface Pace {
  readonly operations: number;
  readonly seconds: number;
}

/** How much can go wrong in a second. */
export const chaos: Section = {
  name: "chaos",
  title: "Chaos",
  run: async ({ quick }) => {
    const limitMs = quick ? 500 : 4000;
    playCore(warmUpMs, true);
    const checked = playCore(limitMs, true);
    const unchecked = playCore(limitMs, false);
    const lab = quick ? undefined : await playLab(30);
    const rows: Record<string, Pace> = {
      "the pure core of 3 nodes, checked after each operation": checked,
      "the pure core of 3 nodes, checked at rest": unchecked,
      ...(lab === undefined ? {} : { [`a lab of ${labNodes} nodes, checked at rest`]: lab }),
    };
    return {
      about:
        `Random stories of pods that come and go, settings that change, faults, killed processes and calls that end in any order, from seed ${seed}: ` +
        `of ${storyLength} operations over the core and EC2's model, each ended by a rest in which every invariant must hold; ` +
        "and one over a lab with real processes and packets (operations that only wait are left out), ended by a clean check, which is not counted.",
      table: {
        columns: ["Over", "Operations", "Seconds", "Operations per second"],
        rows: Object.entries(rows).map(([what, { operations, seconds }]) => [
          what,
          String(operations),
          rounded(seconds),
          rounded(operations / seconds),
        ]),
      },
      goals: [],
      raw: { seed, storyLength, rows },
    };
  },
};

/** Story after story until the time is over; only the operations and their checks are timed. */
function playCore(limitMs: number, checksEach: boolean): Pace {
  let operations = 0;
  let spentMs = 0;
  for (let story = 0; spentMs < limitMs; story++) {
    const stage = new CoreStage(seed + story, "10.0.0.0/24", settings);
    const steps = coreStory(seededRandom(seed + story), storyLength, settings.length);
    const start = performance.now();
    for (const step of steps) {
      stage.act(step);
      if (checksEach) mustBeWhole(stage.world.broken(), story);
    }
    spentMs += performance.now() - start;
    operations += steps.length;
    stage.world.settle();
    mustBeWhole(stage.world.brokenAtRest(), story);
  }
  return { operations, seconds: spentMs / 1000 };
}

async function playLab(length: number): Promise<Pace> {
  const random = seededRandom(seed);
  const name = freshLabName("chaos");
  remember(name);
  const lab = new ChaosLab(name);
  try {
    await lab.up(labNodes, podsAtRest);
    const story = tellStory(random, length, labNodes, labPods).filter(isDeed);
    const start = performance.now();
    for (const operation of story) await lab.carryOut(operation);
    const seconds = (performance.now() - start) / 1000;
    await lab.settle(podsAtRest, 240_000);
    const { broken } = await checkLab(lab, { patienceMs: 150_000 });
    if (broken.length === 0) return { operations: story.length, seconds };
    throw new EniverseError("internal", {
      attempted: "find the lab whole after the story",
      found: `${JSON.stringify(broken)}\nThe story:\n${lab.told.join("\n")}`,
    });
  } finally {
    await takeLabDown(name);
  }
}

const isDeed = (operation: Operation): boolean => operation.do !== "pause";

function mustBeWhole(broken: readonly string[], story: number): void {
  if (broken.length === 0) return;
  throw new EniverseError("internal", {
    attempted: `live through the story of seed ${seed + story}`,
    found: broken.join("; "),
  });
}
