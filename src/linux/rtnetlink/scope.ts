import type { RouteType, Scope } from "./values.ts";

/** rt_scope_t of <linux/rtnetlink.h> */
const scopes: Readonly<Record<Scope, number>> = {
  universe: 0,
  site: 200,
  link: 253,
  host: 254,
  nowhere: 255,
};
const scopeNames = new Map(Object.entries(scopes).map(([name, number]) => [number, name as Scope]));

export function scopeNumber(scope: Scope): number {
  return scopes[scope];
}

/** Scopes that have no name of their own count as "site", as all between universe and link. */
export function scopeName(number: number): Scope {
  return scopeNames.get(number) ?? "site";
}

/** RTN_… of <linux/rtnetlink.h> */
const routeTypes: Readonly<Record<RouteType, number>> = {
  unicast: 1,
  local: 2,
  broadcast: 3,
  anycast: 4,
  multicast: 5,
  blackhole: 6,
  unreachable: 7,
  prohibit: 8,
  throw: 9,
};
const routeTypeNames = new Map(
  Object.entries(routeTypes).map(([name, number]) => [number, name as RouteType]),
);

export function routeTypeNumber(type: RouteType): number {
  return routeTypes[type];
}

export function routeTypeName(number: number): RouteType | undefined {
  return routeTypeNames.get(number);
}
