import { FakeCloud } from "./fake-cloud.ts";
import type { SettingsInput } from "./settings.ts";
import type { Action, Decision, PoolEniFacts } from "./types.ts";

function fakeEni(id: string, facts: Partial<PoolEniFacts> = {}): PoolEniFacts {
  const deviceNumber = Number(id.split("-")[1]);
  return {
    id,
    deviceNumber,
    routeTable: deviceNumber + 1,
    subnetId: "subnet-a",
    primary: false,
    trunk: false,
    efa: false,
    excluded: false,
    ...facts,
  };
}

/** A cloud whose ENIs hold the given blocks; "eni-0" is the primary that it starts with. */
export function cloudWith(
  settings: SettingsInput,
  enis: Record<string, readonly string[]> = {},
  options: {
    enis?: number;
    ipv4PerEni?: number;
    maxPods?: number;
    facts?: Record<string, Partial<PoolEniFacts>>;
  } = {},
): FakeCloud {
  const cloud = new FakeCloud({
    instance: { enis: options.enis ?? 4, ipv4PerEni: options.ipv4PerEni ?? 15 },
    settings,
    ...(options.maxPods === undefined ? {} : { maxPods: options.maxPods }),
  });
  for (const [id, blocks] of Object.entries(enis)) {
    if (cloud.pool.eni(id) === undefined) cloud.pool.addEni(fakeEni(id, options.facts?.[id]), cloud.now);
    for (const block of blocks) cloud.pool.addCidr(id, block);
  }
  return cloud;
}

/** `count` single addresses of 10.0.`net`.0/24, from .1 on. */
export const singles = (count: number, net = 1): string[] =>
  Array.from({ length: count }, (_, index) => `10.0.${net}.${index + 1}/32`);

export const actionsOf = (decision: Decision): Action[] => decision.actions.map(({ action }) => action);
export const rulesOf = (decision: Decision): string[] => decision.notes.map(({ rule }) => rule);
