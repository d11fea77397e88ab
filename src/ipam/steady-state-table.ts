import type { SettingsInput } from "./settings.ts";

/** Pods on the node, and the addresses (or prefixes) per ENI that it comes to rest with. */
export type States = readonly (readonly [pods: number, slots: readonly number[]])[];

/** Warm settings as the core has them. */
export type WarmSettings = Pick<
  SettingsInput,
  "prefixDelegation" | "warmEniTarget" | "warmIpTarget" | "minimumIpTarget" | "warmPrefixTarget"
>;

export const byEni = (warmEniTarget: number): WarmSettings => ({ warmEniTarget });
export const byIp = (warmIpTarget: number, minimumIpTarget: number): WarmSettings => ({
  warmIpTarget,
  minimumIpTarget,
});
export const byPrefix = (warmPrefixTarget: number): WarmSettings => ({
  prefixDelegation: true,
  warmPrefixTarget,
});
export const prefixByIp = (warmIp: number, minimumIp: number): WarmSettings => ({
  prefixDelegation: true,
  ...byIp(warmIp, minimumIp),
});
const full = (count: number, slots: number): number[] => new Array<number>(count).fill(slots);

/**
 * What a node of the official CNI holds at rest: worked out from its source, and in part told by its
 * docs/eni-and-ip-target.md and docs/prefix-and-ip-target.md. The core and both drivers of the simulator are held
 * to it.
 */
export const officialSteadyStates: readonly (readonly [type: string, WarmSettings, States])[] = [
  [
    "t3.small",
    byEni(1),
    [
      [0, [3]],
      [3, [3, 3]],
      [5, [3, 3, 3]],
      [9, [3, 3, 3]],
    ],
  ],
  [
    "t3.small",
    byIp(1, 1),
    [
      [0, [1]],
      [3, [3, 1]],
      [5, [3, 3]],
      [7, [3, 3, 2]],
    ],
  ],
  [
    "t3.small",
    byIp(2, 5),
    [
      [0, [3, 2]],
      [5, [3, 3, 1]],
      [9, [3, 3, 3]],
    ],
  ],
  [
    "m5.large",
    byEni(1),
    [
      [0, [9]],
      [3, [9, 9]],
      [9, [9, 9]],
      [15, [9, 9, 9]],
    ],
  ],
  // At 9 pods the official loop alternates between [9] and [9, 9].
  [
    "m5.large",
    byEni(0),
    [
      [0, [9]],
      [8, [9]],
    ],
  ],
  [
    "m5.large",
    byIp(5, 10),
    [
      [0, [9, 1]],
      [7, [9, 3]],
      [15, [9, 9, 2]],
    ],
  ],
  [
    "m5.large",
    byIp(2, 12),
    [
      [0, [9, 3]],
      [9, [9, 3]],
      [15, [9, 8]],
    ],
  ],
  [
    "m4.4xlarge",
    byEni(1),
    [
      [0, full(1, 29)],
      [3, full(2, 29)],
      [30, full(3, 29)],
      [58, full(3, 29)],
      [95, full(5, 29)],
    ],
  ],
  [
    "p3dn.24xlarge",
    byIp(5, 10),
    [
      [0, [10]],
      [7, [12]],
      [15, [20]],
      [45, [49, 1]],
    ],
  ],
  [
    "t3.small",
    byPrefix(1),
    [
      [0, [1]],
      [1, [2]],
      [16, [2]],
      [17, [3]],
      [45, [3, 1]],
      [58, [3, 2]],
      [95, [3, 3, 1]],
    ],
  ],
  [
    "t3.small",
    prefixByIp(1, 1),
    [
      [0, [1]],
      [15, [1]],
      [16, [2]],
      [58, [3, 1]],
    ],
  ],
  [
    "t3.small",
    prefixByIp(7, 20),
    [
      [0, [2]],
      [17, [2]],
      [45, [3, 1]],
      [58, [3, 2]],
    ],
  ],
  [
    "t3.small",
    prefixByIp(16, 0),
    [
      [0, [1]],
      [1, [2]],
    ],
  ],
];
