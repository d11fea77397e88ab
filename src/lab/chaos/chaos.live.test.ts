import { describe, test } from "bun:test";
import { EniverseError } from "../../base/error.ts";
import { seededRandom } from "../../base/random.ts";
import { liveThrough, type Stage } from "./live-story.ts";
import { shrinkStory } from "./shrink.ts";
import { describeOperation, tellStory } from "./story.ts";

// A real lab lives through a random story, and is whole afterwards. ENIVERSE_CHAOS_SEED tells another one,
// ENIVERSE_CHAOS_OPS makes it longer or shorter, ENIVERSE_CHAOS_KEEP leaves the lab that failed as it is. Of a story
// that fails, shorter ones are tried in new labs, and the shortest that still fails is printed.
const seed = Number(process.env.ENIVERSE_CHAOS_SEED ?? 9);
const length = Number(process.env.ENIVERSE_CHAOS_OPS ?? 200);
const keep = process.env.ENIVERSE_CHAOS_KEEP !== undefined;
const isRoot = process.getuid?.() === 0;
const mostPods = 20;
const stage: Stage = { nodes: 2, podsAtRest: 8, restEvery: 100, restMs: 90_000, keep };
/** At the most so many shorter stories, and none is begun when so much time has gone by. */
const shrinkTries = 10;
const shrinkMs = 480_000;

describe.skipIf(!isRoot)("a lab in chaos", () => {
  test(
    `is whole after ${length} operations from seed ${seed}`,
    async () => {
      const story = tellStory(seededRandom(seed), length, stage.nodes, mostPods);
      let labs = 0;
      const live = (operations: typeof story) =>
        liveThrough(`chaos${process.pid}-${labs++}`, operations, stage);
      let failure = await live(story);
      if (failure === undefined) return;
      const end = performance.now() + shrinkMs;
      const { story: shortest, tries } = await shrinkStory(
        story.slice(0, failure.operations),
        async (shorter) => {
          const again = await live([...shorter]);
          failure = again ?? failure;
          return again !== undefined;
        },
        { tries: keep ? 0 : shrinkTries, goOn: () => performance.now() < end },
      );
      throw new EniverseError("internal", {
        attempted: `live through ENIVERSE_CHAOS_SEED=${seed} ENIVERSE_CHAOS_OPS=${length}`,
        found: `${failure.message}\nThe story of that:\n${failure.told.join("\n")}
The shortest that failed in ${tries} more labs, ${shortest.length} of ${length} operations:
${shortest.map(describeOperation).join("\n")}`,
      });
    },
    600_000 + shrinkMs + length * 3000,
  );
});
