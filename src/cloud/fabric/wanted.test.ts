import { expect, test } from "bun:test";
import { formatCidr, parseCidr } from "../../addr/cidr.ts";
import { formatIpv4, parseIpv4 } from "../../addr/ipv4.ts";
import { portDevice } from "./names.ts";
import type { FabricSpec } from "./spec.ts";
import { eniA, eniB, eniC, eniD, eniNat, spec } from "./test-spec.ts";
import { checkDistinct, hopKey, type RouterState, wantedEdge, wantedNats, wantedRouter } from "./wanted.ts";

const places = new Map([
  ["a", 1],
  ["b", 2],
  ["c", 3],
  ["d", 4],
  ["nat/nat-1", 5],
]);

/** The routes and rules as sorted lines; tables by the role that they have. */
function picture(state: RouterState): string[] {
  const named = new Map([
    [254, "main"],
    [4000, "unrouted"],
  ]);
  for (const { from, table } of state.rules.values())
    if (from?.family === 4) named.set(table, `from ${formatCidr(from)}`);
  const table = (number: number): string => named.get(number) ?? "other";
  const routes = [...state.routes.values()].map(
    (route) => `${table(route.table)}: ${formatCidr(route.destination)} to ${hopKey(route.hop)}`,
  );
  const rules = [...state.rules.values()].map(
    ({ priority, family, from, iif, table: number }) =>
      `rule ${priority} IPv${family} ${from ? formatCidr(from) : (iif ?? "all")}: ${table(number)}`,
  );
  return [...routes, ...rules].sort();
}

test("wantedRouter says the routes and rules of a VPC with public and private subnets", () => {
  expect(picture(wantedRouter(spec, places))).toEqual([
    "from 10.0.0.0/24: 0.0.0.0/0 to internet",
    `from 10.0.1.0/24: 0.0.0.0/0 to port ${portDevice(eniNat.eniId)}`,
    "from 10.0.1.0/24: 192.0.2.0/24 to sink",
    "from 10.0.1.0/24: ::/0 to internet",
    "main: 10.0.0.0/16 to sink",
    "main: 2001:db8:1::/56 to sink",
    `rule 33000 IPv4 ${portDevice(eniNat.eniId)}: from 10.0.0.0/24`,
    "rule 33001 IPv4 10.0.0.0/24: from 10.0.0.0/24",
    "rule 33001 IPv4 10.0.1.0/24: from 10.0.1.0/24",
    "rule 33001 IPv6 2001:db8:1:1::/64: from 10.0.1.0/24",
    "rule 33100 IPv4 all: unrouted",
    "rule 33100 IPv6 all: unrouted",
    "unrouted: 0.0.0.0/0 to sink",
    "unrouted: ::/0 to sink",
  ]);
});

test("wantedRouter answers at subnet gateways first, then at the service addresses", () => {
  const own = wantedRouter(spec, places).ownAddresses.filter((address) => typeof address === "number");
  expect(own.map(formatIpv4)).toEqual([
    "10.0.0.1",
    "10.0.1.1",
    "169.254.169.254",
    "169.254.169.253",
    "169.254.169.249",
  ]);
});

test("wantedRouter gives a port to each ENI whose place is there, the NAT gateway's without source check", () => {
  const { ports } = wantedRouter(spec, new Map([...places].filter(([place]) => place !== "c")));
  expect(
    [...ports.values()].map(({ eniId, place, guestDevice, sourceCheck }) => [
      eniId,
      place,
      guestDevice,
      sourceCheck,
    ]),
  ).toEqual([
    [eniA.eniId, "a", "eth0", true],
    [eniB.eniId, "b", "eth0", true],
    [eniD.eniId, "d", "eth0", true],
    [eniNat.eniId, "nat/nat-1", "eth0", false],
  ]);
});

const withRoute = (destination: string, eniId: string, base: FabricSpec = spec): FabricSpec => ({
  ...base,
  subnets: base.subnets.map((subnet) =>
    subnet.subnetId === "subnet-public"
      ? {
          ...subnet,
          routes: [...subnet.routes, { destination: parseCidr(destination), target: { kind: "eni", eniId } }],
        }
      : subnet,
  ),
});
const open = (eniId: string): FabricSpec => ({
  ...spec,
  enis: spec.enis.map((eni) => (eni.eniId === eniId ? { ...eni, sourceDestCheck: false } : eni)),
});

test("wantedRouter looks up routes inside the VPC by the sending ENI, before the local ones", () => {
  const state = wantedRouter(withRoute("10.0.1.0/24", eniC.eniId, open(eniC.eniId)), places);
  const inside = [...state.rules.values()].filter((rule) => rule.priority === 100);
  expect(inside.map((rule) => rule.iif)).toEqual([eniA, eniD, eniNat].map((eni) => portDevice(eni.eniId)));
  const [table] = inside.map((rule) => rule.table);
  const routes = [...state.routes.values()].filter((route) => route.table === table);
  expect(routes.map(({ destination, hop }) => [formatCidr(destination), hopKey(hop)])).toEqual([
    ["10.0.1.0/24", `port ${portDevice(eniC.eniId)}`],
  ]);
});

test("wantedRouter sinks what goes to an ENI with destination check, or to one that is not attached", () => {
  const hop = (of: FabricSpec): string | undefined =>
    picture(wantedRouter(of, places)).find((line) => line.includes("172.31.0.0/16"));
  expect(hop(withRoute("172.31.0.0/16", eniC.eniId))).toEndWith("to sink");
  expect(hop(withRoute("172.31.0.0/16", "eni-gone"))).toEndWith("to sink");
  expect(hop(withRoute("172.31.0.0/16", eniC.eniId, open(eniC.eniId)))).toEndWith(portDevice(eniC.eniId));
});

test("wantedRouter sinks what goes to a gateway that is not attached", () => {
  const closed = { ...spec, internetGateway: false, egressOnlyInternetGateway: false };
  const lines = picture(wantedRouter(closed, places)).filter((line) => line.startsWith("from"));
  expect(lines.filter((line) => line.endsWith("to internet"))).toEqual([]);
});

test("wantedRouter and wantedNats refuse contradictions", () => {
  const first = spec.enis.slice(0, 1).map((eni) => ({ ...eni, addresses: [] }));
  expect(() => wantedRouter({ ...spec, enis: first }, places)).toThrow("without an IPv4 address");
  expect(() => wantedRouter({ ...spec, subnets: [] }, places)).toThrow("subnet-public");
  expect(() => wantedRouter({ ...spec, enis: [eniA, eniA] }, places)).toThrow("two ENIs");
  expect(() => wantedNats({ ...spec, enis: [] })).toThrow("nat-1");
  expect(() => checkDistinct(spec.vpcCidrs, [parseCidr("10.0.0.0/8")])).toThrow("overlaps");
});

test("wantedEdge translates the addresses that have a public one, while the gateway is attached", () => {
  expect([...wantedEdge(spec).publicOf]).toEqual([
    [parseIpv4("10.0.0.10"), parseIpv4("203.0.113.10")],
    [parseIpv4("10.0.0.20"), parseIpv4("203.0.113.20")],
    [parseIpv4("10.0.0.14"), parseIpv4("203.0.113.14")],
  ]);
  expect([...wantedEdge({ ...spec, internetGateway: false }).publicOf]).toEqual([]);
});

test("wantedEdge lets in IPv6 only for subnets with a route to the internet gateway", () => {
  expect(wantedEdge(spec).reachable6).toEqual([]);
  const subnets = spec.subnets.map((subnet) => ({
    ...subnet,
    routes: [{ destination: parseCidr("::/0"), target: { kind: "internet-gateway" } as const }],
  }));
  expect(wantedEdge({ ...spec, subnets }).reachable6.map(formatCidr)).toEqual(["2001:db8:1:1::/64"]);
});

test("wantedNats gives each gateway its address and its subnet's router", () => {
  expect(wantedNats(spec)).toEqual([
    {
      natGatewayId: "nat-1",
      eniId: eniNat.eniId,
      address: parseIpv4("10.0.0.14"),
      gateway: parseIpv4("10.0.0.1"),
    },
  ]);
});
