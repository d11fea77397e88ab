import { expect, test } from "bun:test";
import fc from "fast-check";
import type { AttachedEni } from "../../ipam/facts.ts";
import type { SettingsInput } from "../../ipam/settings.ts";
import type { CoreNode } from "./core-node.ts";
import { CoreWorld } from "./core-world.ts";

// Random stories over everything that is pure: the decision core of three nodes in one subnet, the VPC model, faults,
// crashes in the middle of calls. On failure fast-check prints its seed and the shortest story that still fails.
// ENIVERSE_CHAOS_SEED tells a run again, ENIVERSE_CHAOS_STORIES makes it longer.

const kinds = [
  ["scale", 6],
  ["end pod", 5],
  ["begin", 8],
  ["apply", 10],
  ["finish", 10],
  ["wait", 6],
  ["reconcile", 2],
  ["remember metadata", 1],
  ["reconcile by old metadata", 2],
  ["kill ipamd", 2],
  ["change settings", 1],
  ["break EC2", 2],
  ["heal EC2", 2],
  ["crowd the subnet", 1],
  ["clear the subnet", 1],
] as const;

type Kind = (typeof kinds)[number][0];

interface Step {
  readonly kind: Kind;
  readonly node: number;
  readonly pick: number;
}

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.oneof(...kinds.map(([kind, weight]) => ({ weight, arbitrary: fc.constant<Kind>(kind) }))),
  node: fc.nat(2),
  pick: fc.nat(97),
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
  steps: readonly Step[],
): CoreWorld {
  const world = new CoreWorld(seed, subnet, inputs);
  const remembered = new Map<CoreNode, readonly AttachedEni[]>();
  for (const { kind, node: at, pick } of steps) {
    const node = world.nodes[at];
    if (node === undefined) continue;
    if (kind === "scale") node.scale(pick % 30);
    else if (kind === "end pod") node.endPod(pick);
    else if (kind === "begin") node.begin();
    else if (kind === "apply") node.apply(pick);
    else if (kind === "finish") node.finish(pick);
    else if (kind === "wait") world.pass(pick * 500);
    else if (kind === "reconcile") node.reconcile();
    else if (kind === "remember metadata") remembered.set(node, node.snapshot());
    else if (kind === "reconcile by old metadata") node.reconcile(remembered.get(node));
    else if (kind === "kill ipamd") node.restart(undefined);
    else if (kind === "change settings") node.restart(inputs[pick % inputs.length]);
    else if (kind === "break EC2") world.breakEc2(pick);
    else if (kind === "heal EC2") world.faults.clear();
    else if (kind === "crowd the subnet") world.crowd(pick);
    else if (kind === "clear the subnet") world.uncrowd();
    expect(world.broken()).toEqual([]);
  }
  return world;
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
