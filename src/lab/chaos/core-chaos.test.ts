import { expect, test } from "bun:test";
import fc from "fast-check";
import type { SettingsInput } from "../../ipam/settings.ts";
import { CoreStage, type CoreStep, type CoreStepKind, coreStepWeights, mostPick } from "./core-story.ts";
import type { CoreWorld } from "./core-world.ts";

// Random stories over everything that is pure: the decision core of three nodes in one subnet, the VPC model, faults,
// crashes in the middle of calls. On failure fast-check prints its seed and the shortest story that still fails.
// ENIVERSE_CHAOS_SEED tells a run again, ENIVERSE_CHAOS_STORIES makes it longer.

const step: fc.Arbitrary<CoreStep> = fc.record({
  kind: fc.oneof(
    ...coreStepWeights.map(([kind, weight]) => ({ weight, arbitrary: fc.constant<CoreStepKind>(kind) })),
  ),
  node: fc.nat(2),
  pick: fc.nat(mostPick),
});

const settings: fc.Arbitrary<SettingsInput> = fc.record({
  warmEniTarget: fc.nat(2),
  warmPrefixTarget: fc.nat(2),
  warmIpTarget: fc.constantFrom(0, 0, 1, 3, 7),
  minimumIpTarget: fc.constantFrom(0, 0, 4, 10),
  prefixDelegation: fc.boolean(),
});

function live(
  seed: number,
  subnet: string,
  inputs: readonly SettingsInput[],
  steps: readonly CoreStep[],
): CoreWorld {
  const stage = new CoreStage(seed, subnet, inputs);
  for (const step of steps) {
    stage.act(step);
    expect(stage.world.broken()).toEqual([]);
  }
  return stage.world;
}

test("the core of three nodes is whole at every moment of any story, and comes to rest after it", () => {
  const seed = process.env.ENIVERSE_CHAOS_SEED;
  fc.assert(
    fc.property(
      fc.nat(),
      fc.constantFrom("10.0.0.0/24", "10.0.0.0/26", "10.0.0.0/20"),
      fc.tuple(settings, settings, settings),
      fc.array(step, { maxLength: 80, size: "max" }),
      (randomSeed, subnet, inputs, steps) => {
        const world = live(randomSeed, subnet, inputs, steps);
        world.settle();
        expect(world.brokenAtRest()).toEqual([]);
      },
    ),
    {
      numRuns: Number(process.env.ENIVERSE_CHAOS_STORIES ?? 200),
      ...(seed === undefined ? {} : { seed: Number(seed) }),
    },
  );
}, 300_000);
