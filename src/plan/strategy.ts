import { formatCidr } from "../addr/cidr.ts";
import { thousands } from "./field.ts";
import { perNode } from "./strategy-groups.ts";
import { type PlanStrategyInput, readSituation, type Situation } from "./strategy-input.ts";
import type { StrategyId, StrategyOption } from "./strategy-option.ts";
import { optionsFor } from "./strategy-options.ts";

export interface StrategyAnswer {
  /** Addresses that the subnets have, that the nodes hold, and that are free. */
  readonly usable: number;
  readonly held: number;
  readonly free: number;
  readonly nodes: number;
  readonly nodesWanted: number;
  /** Addresses that are missing for the nodes wanted; 0: nothing need be done. */
  readonly missing: number;
  readonly options: readonly StrategyOption[];
  /** Undefined: the subnets have room enough. */
  readonly recommended?: StrategyId;
  /** The rule that decided, as a sentence with its numbers. */
  readonly rule: string;
  readonly explain: readonly string[];
}

/**
 * What can be done about subnets that run out, all ways side by side: addresses gained here, what must be replaced,
 * what breaks, the steps, and which one to take by which rule. Throws `invalid_argument`.
 */
export function planStrategy(input: PlanStrategyInput): StrategyAnswer {
  const situation = readSituation(input);
  const { nodes, nodesWanted, now, free, usable } = situation;
  const held = now.whereThePodsAre;
  const wanted = Math.ceil(((nodesWanted - nodes) * held) / nodes);
  const missing = Math.max(wanted - free, 0);
  const options = optionsFor(situation);
  const choice = recommend(situation, options, missing);
  return {
    usable,
    held,
    free,
    nodes,
    nodesWanted,
    missing,
    options,
    ...choice,
    explain: [
      ...now.groups.map(({ footprint }) => `now: ${footprint.explain}`),
      `${now.groups.map((group) => `${thousands(group.nodes)} ${now.groups.length === 1 ? "nodes" : group.name} × ${perNode(group.footprint, situation.mode)}`).join(" + ")} = ${thousands(held)} held of ${thousands(usable)} in ${situation.subnets.map(({ cidr }) => formatCidr(cidr)).join(", ")}; ${thousands(free)} free`,
      `${thousands(nodesWanted)} nodes are wanted: ${thousands(nodesWanted - nodes)} more${now.groups.length === 1 ? "" : " in the same mix"} × ${meanText(held, nodes)} = ${thousands(wanted)}; missing ${thousands(missing)}`,
      ...options.map(
        ({ title, possible, why, working }) => `${title}: ${possible ? working : `not here: ${why}`}`,
      ),
      choice.rule,
    ],
  };
}

function meanText(held: number, nodes: number): string {
  return String(Math.round((held / nodes) * 10) / 10);
}

interface Rule {
  readonly id: StrategyId;
  readonly applies: (situation: Situation) => boolean;
  readonly because: string;
}

/** Tried in order; the first whose option has room for the nodes wanted is taken. */
const rules: readonly Rule[] = [
  {
    id: "custom-networking",
    applies: ({ podsNeedOwnRange }) => podsNeedOwnRange,
    because: "pods need a range of their own, which only custom networking gives",
  },
  {
    id: "fewer-warm",
    applies: () => true,
    because: "giving back idle addresses is enough, and nothing need be replaced",
  },
  {
    id: "more-subnets",
    applies: () => true,
    because: "the VPC has room left, routable like the rest, and nothing need be replaced",
  },
  {
    id: "secondary-cidr",
    applies: () => true,
    because: "a secondary block has the room, and nothing need be replaced",
  },
  {
    id: "prefix-delegation",
    applies: () => true,
    because: "prefixes hold fewer addresses for these pods than whole ENIs do; nodes must be replaced",
  },
  {
    id: "custom-networking",
    applies: () => true,
    because: "the nodes' own subnets must be freed of pods, too; nodes must be replaced",
  },
  { id: "ipv6", applies: () => true, because: "no IPv4 option has the room; IPv6 ends the question" },
];

function recommend(
  situation: Situation,
  options: readonly StrategyOption[],
  missing: number,
): { readonly recommended?: StrategyId; readonly rule: string } {
  if (missing === 0) {
    return {
      rule: `nothing need be done: ${thousands(situation.free)} addresses are free, enough for ${thousands(situation.nodesWanted)} nodes`,
    };
  }
  for (const rule of rules) {
    const option = options.find(({ id }) => id === rule.id);
    if (option === undefined || !option.fits || !rule.applies(situation)) continue;
    const room = option.nodesAfter === "unlimited" ? "any number of" : thousands(option.nodesAfter);
    return {
      recommended: rule.id,
      rule: `${option.title}: ${rule.because} (room for ${room} nodes, ${thousands(situation.nodesWanted)} wanted)`,
    };
  }
  const [best] = options
    .filter(({ possible }) => possible)
    .toSorted((a, b) => Number(b.nodesAfter) - Number(a.nodesAfter));
  return {
    ...(best === undefined ? {} : { recommended: best.id }),
    rule: `no option alone has room for ${thousands(situation.nodesWanted)} nodes${best === undefined ? "" : `; ${best.title} comes nearest with ${best.nodesAfter}`}`,
  };
}
