import { afterAll, describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { EniverseError, messageOf } from "../../base/error.ts";
import { seededRandom } from "../../base/random.ts";
import { checkLab } from "../check/check.ts";
import { ChaosLab } from "./carry-out.ts";
import { tellStory } from "./story.ts";

// A real lab lives through a random story, and is whole afterwards. ENIVERSE_CHAOS_SEED tells another one,
// ENIVERSE_CHAOS_OPS makes it longer.
const seed = Number(process.env.ENIVERSE_CHAOS_SEED ?? 9);
const length = Number(process.env.ENIVERSE_CHAOS_OPS ?? 25);
const isRoot = process.getuid?.() === 0;
const nodes = 2;
const mostPods = 20;
const podsAtRest = 8;

describe.skipIf(!isRoot)("a lab in chaos", () => {
  const random = seededRandom(seed);
  const lab = new ChaosLab(`chaos${process.pid}`, random);

  afterAll(() => {
    if (existsSync(lab.paths.state) && process.env.ENIVERSE_CHAOS_KEEP === undefined) lab.run("down");
  }, 180_000);

  test(
    `is whole after ${length} operations from seed ${seed}`,
    async () => {
      await lab.up(nodes, podsAtRest);
      try {
        for (const operation of tellStory(random, length, nodes, mostPods)) await lab.carryOut(operation);
        await lab.settle(podsAtRest, 90_000);
        const { broken } = await checkLab(lab, { patienceMs: 150_000 });
        expect(broken).toEqual([]);
        lab.run("verify");
      } catch (error) {
        throw new EniverseError("internal", {
          attempted: `live through ENIVERSE_CHAOS_SEED=${seed} ENIVERSE_CHAOS_OPS=${length}`,
          found: `${messageOf(error)}\nThe story:\n${lab.told.join("\n")}`,
          cause: error,
        });
      }
    },
    300_000 + length * 3000,
  );
});
