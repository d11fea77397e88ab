export type StrategyId =
  | "fewer-warm"
  | "prefix-delegation"
  | "more-subnets"
  | "secondary-cidr"
  | "custom-networking"
  | "private-nat"
  | "ipv6";

/** One way out, worked out for the situation. */
export interface StrategyOption {
  readonly id: StrategyId;
  readonly title: string;
  /** False: it cannot be done here, and `why` says why not. */
  readonly possible: boolean;
  readonly why?: string;
  /** Addresses that pods and nodes can have beside today's; below zero it costs some. */
  readonly gained: number | "unlimited";
  /** How the gain was worked out, with the numbers put in. */
  readonly working: string;
  /** Nodes with as many pods as now that fit in all. */
  readonly nodesAfter: number | "unlimited";
  /** There is room for the nodes that are wanted. */
  readonly fits: boolean;
  /** Pods that a node takes at most then: of several types the lowest. */
  readonly maxPods: number | undefined;
  readonly replace: string;
  readonly breaks: readonly string[];
  readonly steps: readonly string[];
}

/** An option before it is known whether it has room enough. */
export type Draft = Omit<StrategyOption, "fits" | "nodesAfter"> & {
  readonly nodesAfter: number | "unlimited";
};
