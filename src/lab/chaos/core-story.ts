import type { Random } from "../../base/random.ts";
import type { AttachedEni } from "../../ipam/facts.ts";
import type { SettingsInput } from "../../ipam/settings.ts";
import type { CoreNode } from "./core-node.ts";
import { CoreWorld } from "./core-world.ts";

/** What happens to the core of some nodes, and how often compared with the others. */
export const coreStepWeights = [
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

export type CoreStepKind = (typeof coreStepWeights)[number][0];

/** `node` counts through the nodes; `pick`, 0 to 97, chooses among what there is. */
export interface CoreStep {
  readonly kind: CoreStepKind;
  readonly node: number;
  readonly pick: number;
}

export const mostPick = 97;

/** A random story over the core of `nodes` nodes; the same seed, the same story. */
export function coreStory(random: Random, length: number, nodes: number): CoreStep[] {
  const bag = coreStepWeights.flatMap(([kind, weight]) => Array<CoreStepKind>(weight).fill(kind));
  return Array.from({ length }, () => ({
    kind: random.pick(bag),
    node: random.int(nodes),
    pick: random.int(mostPick + 1),
  }));
}

/** A {@link CoreWorld} to which the steps of a story happen. */
export class CoreStage {
  readonly world: CoreWorld;
  readonly #inputs: readonly SettingsInput[];
  readonly #remembered = new Map<CoreNode, readonly AttachedEni[]>();

  /** One node for each of the settings. */
  constructor(seed: number, subnet: string, inputs: readonly SettingsInput[]) {
    this.world = new CoreWorld(seed, subnet, inputs);
    this.#inputs = inputs;
  }

  act({ kind, node: at, pick }: CoreStep): void {
    const { world } = this;
    const node = world.nodes[at];
    if (node === undefined) return;
    if (kind === "scale") node.scale(pick % 30);
    else if (kind === "end pod") node.endPod(pick);
    else if (kind === "begin") node.begin();
    else if (kind === "apply") node.apply(pick);
    else if (kind === "finish") node.finish(pick);
    else if (kind === "wait") world.pass(pick * 500);
    else if (kind === "reconcile") node.reconcile();
    else if (kind === "remember metadata") this.#remembered.set(node, node.snapshot());
    else if (kind === "reconcile by old metadata") node.reconcile(this.#remembered.get(node));
    else if (kind === "kill ipamd") node.restart(undefined);
    else if (kind === "change settings") node.restart(this.#inputs[pick % this.#inputs.length]);
    else if (kind === "break EC2") world.breakEc2(pick);
    else if (kind === "heal EC2") world.faults.clear();
    else if (kind === "crowd the subnet") world.crowd(pick);
    else if (kind === "clear the subnet") world.uncrowd();
  }
}
