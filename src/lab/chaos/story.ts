/**
 * `lab/chaos/` tells random stories of a cluster's life from a seed: pods come and go, settings change, faults start
 * and end, processes are killed, nodes reboot. `story.ts` makes them up (pure), `carry-out.ts` does them to a real lab.
 * After each story everything is healed, and the lab must be whole: `check` finds nothing and every packet arrives.
 */
import type { Random } from "../../base/random.ts";

/**
 * One thing that happens; `node` counts through the lab's nodes, `pick` is the seed of what else is left to chance, so
 * that an operation does the same in a shorter story.
 */
export type Operation =
  | { readonly do: "scale"; readonly replicas: number }
  | { readonly do: "delete-pods"; readonly count: number; readonly pick: number }
  | { readonly do: "set-env"; readonly env: Readonly<Record<string, string>> }
  | { readonly do: "break"; readonly what: Breakage; readonly node: number }
  | { readonly do: "heal" }
  | { readonly do: "kill"; readonly program: "ipamd" | "kubelet" | "lab"; readonly node: number }
  | { readonly do: "reboot"; readonly node: number }
  | { readonly do: "pause"; readonly ms: number };

export type Breakage =
  | "throttle"
  | "refuse-assign"
  | "refuse-create"
  | "slow-attach"
  | "failing-attach"
  | "late-metadata"
  | "leaf-lag"
  | "frozen-metadata"
  | "fragmented-subnet"
  | "full-subnet"
  | "api-server"
  | "cut-off"
  | "ipamd-down";

const breakages: readonly Breakage[] = [
  "throttle",
  "refuse-assign",
  "refuse-create",
  "slow-attach",
  "failing-attach",
  "late-metadata",
  "leaf-lag",
  "frozen-metadata",
  "fragmented-subnet",
  "full-subnet",
  "api-server",
  "cut-off",
  "ipamd-down",
];

/** Those of nodes more often than the lab's own. */
const programs = ["ipamd", "ipamd", "kubelet", "kubelet", "lab"] as const;

/** Settings that a user changes on a running cluster; absent ones have their defaults. */
const environments: readonly Readonly<Record<string, string>>[] = [
  {},
  { WARM_IP_TARGET: "3", MINIMUM_IP_TARGET: "6" },
  { WARM_ENI_TARGET: "0", WARM_IP_TARGET: "1" },
  { ENABLE_PREFIX_DELEGATION: "true" },
  { ENABLE_PREFIX_DELEGATION: "true", WARM_IP_TARGET: "2", MINIMUM_IP_TARGET: "4" },
];

const weights: readonly (readonly [Operation["do"], number])[] = [
  ["scale", 8],
  ["delete-pods", 7],
  ["pause", 5],
  ["break", 6],
  ["heal", 4],
  ["kill", 5],
  ["set-env", 2],
  ["reboot", 1],
];

/** A story of `length` operations on `nodes` nodes with up to `pods` pods; the same seed, the same story. */
export function tellStory(random: Random, length: number, nodes: number, pods: number): Operation[] {
  return Array.from({ length }, () => nextOperation(random, nodes, pods));
}

function nextOperation(random: Random, nodes: number, pods: number): Operation {
  const node = random.int(nodes);
  switch (pickWeighted(random)) {
    case "scale":
      return { do: "scale", replicas: random.int(pods + 1) };
    case "delete-pods":
      return { do: "delete-pods", count: 1 + random.int(4), pick: random.int(1000) };
    case "set-env":
      return { do: "set-env", env: random.pick(environments) };
    case "break":
      return { do: "break", what: random.pick(breakages), node };
    case "heal":
      return { do: "heal" };
    case "kill":
      return { do: "kill", program: random.pick(programs), node };
    case "reboot":
      return { do: "reboot", node };
    case "pause":
      return { do: "pause", ms: 100 * (1 + random.int(12)) };
  }
}

function pickWeighted(random: Random): Operation["do"] {
  let left = random.int(weights.reduce((sum, [, weight]) => sum + weight, 0));
  for (const [what, weight] of weights) {
    left -= weight;
    if (left < 0) return what;
  }
  return "pause";
}

/** One line, as the story is printed. */
export function describeOperation(operation: Operation): string {
  switch (operation.do) {
    case "scale":
      return `scale to ${operation.replicas}`;
    case "delete-pods":
      return `delete ${operation.count} pods`;
    case "set-env":
      return `set env ${JSON.stringify(operation.env)}`;
    case "break":
      return `break ${operation.what} (node ${operation.node})`;
    case "heal":
      return "heal everything";
    case "kill":
      return `kill -9 ${operation.program}${operation.program === "lab" ? "" : ` of node ${operation.node}`}`;
    case "reboot":
      return `reboot node ${operation.node}`;
    case "pause":
      return `wait ${operation.ms} ms`;
  }
}
